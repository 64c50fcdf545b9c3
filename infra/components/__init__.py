"""One Pulumi component per file; `infra/__main__.py` composes them."""
