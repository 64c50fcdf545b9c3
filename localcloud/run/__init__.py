"""The local Cloud Run: revisions as real processes behind a front end that behaves as Google's does (HTTP/1.1 only)."""
