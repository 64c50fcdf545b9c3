"""Cloud Logging: what containers and the platform write, kept in memory, queried and read as Logging v2 gives it."""
