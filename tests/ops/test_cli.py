"""How an error reaches the person who typed the command."""

from __future__ import annotations

import signal

import pytest

from ops import cli
from ops.errors import OperatorError


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own process keeps its handlers."""
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)


@pytest.mark.parametrize("columns", ["20", "60"])
def test_a_refusal_is_one_line_on_stderr_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: str
) -> None:
    """The command in it can be copied, and stdout stays empty for whoever reads JSON there."""
    sentence = "The bucket is gone; run `gcloud storage buckets create gs://acme-docs-pulumi --project acme-docs --location europe-west1`."

    def refuse() -> None:
        raise OperatorError(sentence)

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(cli, "app", refuse)
    with pytest.raises(SystemExit) as exit:
        cli.main()
    out, err = capsys.readouterr()
    assert (exit.value.code, out, err) == (1, "", f"blueprint: {sentence}\n")
