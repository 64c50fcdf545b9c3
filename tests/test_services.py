"""The tests of each service under services/, and the starter that new ones begin with, each in a process of its own.

Every one of them has a package `app`: in one process the first would be everybody's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICES = [ROOT / "starter", *sorted(path.parent for path in ROOT.glob("services/*/tests"))]


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_s_own_tests_pass(service: Path) -> None:
    """`make test` is the whole repository; the starter, which has no code, is tried on the template's."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0"],
        cwd=service,
        env={key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "OTEL_"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
