"""A service's secrets as Cloud Run takes them: variables, or volumes with a file; no value of a secret is ever seen here."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.schema.secret import SecretConfig
    from infra.stack import Stack


def variables(stack: Stack, name: str) -> list[dict[str, Any]]:
    """A variable for each secret: read when an instance starts, or the path of its file."""
    return [
        {"name": variable, "value": secret.file}
        if secret.file
        else {
            "name": variable,
            "value_source": {
                "secret_key_ref": {"secret": secret.reference(stack.project), "version": secret.version}
            },
        }
        for variable, secret in sorted(stack.services[name].secrets.items())
    ]


def volumes(stack: Stack, name: str) -> list[dict[str, Any]]:
    """A volume for each secret that is a file; it is read from Secret Manager whenever the file is."""
    return [
        {
            "name": _volume(variable),
            "secret": {
                "secret": secret.reference(stack.project),
                "items": [{"path": path.name, "version": secret.version}],
            },
        }
        for variable, secret, path in _files(stack, name)
    ]


def volume_mounts(stack: Stack, name: str) -> list[dict[str, Any]]:
    """Where the volumes are seen."""
    return [
        {"name": _volume(variable), "mount_path": str(path.parent)}
        for variable, _, path in _files(stack, name)
    ]


def readable(stack: Stack, name: str) -> list[tuple[str, str]]:
    """The secrets that a service may read, as (project, id), each once."""
    secrets = stack.services[name].secrets.values()
    return sorted({(secret.project(stack.project), secret.id) for secret in secrets})


def _files(stack: Stack, name: str) -> list[tuple[str, SecretConfig, PurePosixPath]]:
    return [
        (variable, secret, PurePosixPath(secret.file))
        for variable, secret in sorted(stack.services[name].secrets.items())
        if secret.file
    ]


def _volume(variable: str) -> str:
    """A volume's name has no capitals or underscores, and begins and ends with a letter."""
    return f"secret-{variable.lower().replace('_', '-')}-file"
