"""What may be told of a URL: its keys, never the values of its query."""


def redacted(query: str) -> str:
    """The query's keys; any value may be a secret."""
    return "&".join(part.partition("=")[0] + "=REDACTED" for part in query.split("&") if part)


def without_values(url: str) -> str:
    """The URL with the values of its query redacted, and without its fragment."""
    head, found, query = url.partition("#")[0].partition("?")
    return f"{head}?{redacted(query)}" if found else head
