"""Cloud Storage on this machine: durable objects, Google's JSON API, and the time the network takes."""
