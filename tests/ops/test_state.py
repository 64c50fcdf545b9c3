"""Where the commands keep their state, and the sentences for what an operator gets wrong about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.cli import app, demo
from ops.errors import OperatorError
from ops.options import EngineChoice
from ops.state import claimed, demo_directory


def test_a_directory_is_held_by_one_command(tmp_path: Path) -> None:
    """The second is told who holds it, and how to go on."""
    with (
        claimed(tmp_path / "state"),
        pytest.raises(OperatorError, match=r"^Process \d+ is already using .*--state"),
        claimed(tmp_path / "state"),
    ):
        pass


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_state_that_is_no_directory_is_one_sentence(tmp_path: Path, path: str) -> None:
    """No traceback for a path that cannot be a directory."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OperatorError, match=r"^--state .*; give a directory that can be written\.$"),
        claimed(tmp_path / path),
    ):
        pass


def test_the_demo_empties_nothing_that_it_did_not_make(tmp_path: Path) -> None:
    """A chosen directory with something in it is refused, as the demo starts from nothing."""
    (tmp_path / "precious").write_text("")
    with pytest.raises(OperatorError, match="give an empty or a new directory"):
        demo_directory(tmp_path, tmp_path)


def test_an_unwritable_json_file_is_refused_before_anything_runs(tmp_path: Path) -> None:
    """The figures of a whole run are not lost to a wrong path."""
    with pytest.raises(OperatorError, match=r"^--json .*cannot be written"):
        demo(json_file=tmp_path / "missing" / "x.json", engine=EngineChoice.embedded)


def test_a_port_out_of_range_is_a_usage_error() -> None:
    """typer names the range."""
    from typer.testing import CliRunner

    result = CliRunner().invoke(app, ["local", "--port", "99999"])
    assert result.exit_code == 2
    assert "65535" in result.output
