"""What a trace says: its tree, critical path, dark time, and the one hop at fault. Pure functions of spans, log entries and bucket locations."""
