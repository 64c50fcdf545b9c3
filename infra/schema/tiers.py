"""What a stack's name says about it: production, development, or neither, which is held to what staging is.

Pure functions of the name, for the program and for the policy pack; knows nothing of Pulumi.
"""

from __future__ import annotations


def is_production(env: str) -> bool:
    """`prod` and whatever begins with it (`prod-eu`, `production`): nothing is lost by a flag, and somebody is told."""
    return env.startswith("prod")


def is_development(env: str) -> bool:
    """`local`, `dev` and `dev-…`: images by tag or built here, previews, and a branch alone may deploy."""
    return env in ("local", "dev") or env.startswith("dev-")
