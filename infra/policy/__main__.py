"""What Pulumi starts for `--policy-pack infra/policy`: registers the rules, and serves them until it is ended."""

import sys
from pathlib import Path


def register() -> None:
    """Serve every rule. Raises ModuleNotFoundError outside the pack's own environment."""
    # That environment has no package `infra`: the checkout is where it comes from.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from infra.policy.pack import serve

    serve()


if __name__ == "__main__":
    register()
