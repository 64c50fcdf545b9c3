"""The alerts of a stack: a file per theme, `rules.py` lists them, `policy.py` tells Monitoring. Knows nothing of Pulumi."""
