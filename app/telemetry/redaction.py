"""What may be told of a URL: its keys, never the values of its query."""


def redacted(query: str) -> str:
    """The query's keys; any value may be a secret."""
    return "&".join(part.partition("=")[0] + "=REDACTED" for part in query.split("&") if part)
