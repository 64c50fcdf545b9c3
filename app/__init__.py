"""The service template: one FastAPI application, traced from its first request. A fork replaces `routes.py`."""
