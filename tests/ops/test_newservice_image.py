"""What the images of stack `local` stand for: the template, and each service with code of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ops.errors import OperatorError
from ops.image import working_trees

COMMAND = 'FROM scratch\nCMD ["python", "-m", "app"]\n'


def dockerfile(directory: Path, text: str = COMMAND) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "Dockerfile").write_text(text, encoding="utf-8")


def test_each_dockerfile_is_an_image_that_runs_where_it_is(tmp_path: Path) -> None:
    """So that each finds its own package `app`; a directory without one is no service."""
    dockerfile(tmp_path)
    dockerfile(tmp_path / "services/thumbs", 'FROM scratch\nCMD ["uvicorn", "main:app"]\n')
    (tmp_path / "services/notes").mkdir()
    dockerfile(tmp_path / "services/.half.new")  # what an interrupted new-service left
    images = working_trees(tmp_path)
    assert {name: image.cwd for name, image in images.items()} == {
        "local": tmp_path,
        "local/services/thumbs": tmp_path / "services/thumbs",
    }
    assert images["local"].argv == (sys.executable, "-u", "-m", "app")
    assert images["local/services/thumbs"].argv == ("uvicorn", "main:app")


@pytest.mark.parametrize("where", ["", "services/thumbs/"])
def test_a_command_in_shell_form_is_refused_with_its_file(tmp_path: Path, where: str) -> None:
    """SIGTERM would reach the shell, and the last spans would be lost."""
    dockerfile(tmp_path)
    dockerfile(tmp_path / where, "FROM scratch\nCMD python -m app\n")
    with pytest.raises(OperatorError, match=f"^{where}Dockerfile: CMD has value 'python -m app'"):
        working_trees(tmp_path)
