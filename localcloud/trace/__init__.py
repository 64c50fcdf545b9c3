"""Cloud Trace: spans in through the Telemetry API and the old gRPC API, out as Cloud Trace v1 gives them."""
