"""After a deployment: one marked request, and whether its trace is complete; if not, why, from evidence first."""
