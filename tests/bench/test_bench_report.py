"""The benchmark's result: the JSON that automation reads, the table that people read, the page that carries it."""

import json
from pathlib import Path

import pytest

from bench import __main__ as cli
from bench import load, report
from bench.figure import Figure, part
from bench.figures import FIGURES
from bench.ratios import Relation
from bench.report import Measured

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
NAMES = [
    "throughput_ratio_10",
    "throughput_ratio_100",
    "chain_ratio_10",
    "p99_ratio_10",
    "cold_start_ratio",
    "memory_added_mb",
    "error_traces_complete",
    "kept_spans_lost",
    "p99_ratio_backend_hanging",
]
SAMPLES = {
    "bare": [400.0, 500.0],
    "textbook": [800.0, 900.0],
    "zero_code": [1000.0, 1000.0],
    "lean_otlp": [500.0, 600.0],
    "ours": [420.0, 575.0],
    "ours_gcp_otlp": [440.0, 600.0],
}


def _measured(samples: dict[str, list[float]], relation: Relation = Relation.RATIO) -> Measured:
    return Measured(
        Figure("cold_start_ratio", "cold start", "", "ms", relation, lambda run: samples, "1.2"), samples
    )


def test_the_names_are_the_contract() -> None:
    """Automation finds each figure by a name that does not change."""
    assert [figure.name for figure in FIGURES if figure.contract] == NAMES


def test_the_json_has_every_variant_and_the_spread_of_ours() -> None:
    """Each figure has the same keys, whatever it is; what is not contract stands beside `figures`."""
    found = json.loads(json.dumps(report.document([_measured(SAMPLES)], {"python": "3"})))
    assert found["figures"] == {
        "cold_start_ratio": {
            "bare": 1.0,
            "textbook": 1.9,
            "zero_code": 2.25,
            "lean_otlp": 1.225,
            "ours": 1.1,
            "min": 1.05,
            "max": 1.15,
            "rounds": 2,
        }
    }
    assert found["extras"]["cold_start_ratio_gcp_otlp"]["ours"] == 1.15
    assert found["absolutes"]["cold_start_ratio"]["bare"] == 450
    assert found["machine"] == {"python": "3"}


def test_the_table() -> None:
    """One row per figure, ours with its spread, and a row of its own for the default exporter."""
    lines = report.table([_measured(SAMPLES)]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    dash = report.DASH
    assert cells[2] == ["cold start", "1", "1.90", "2.25", "1.23", f"1.10 (1.05{dash}1.15)", "1.2"]
    assert cells[3] == [
        "cold start, with `gcp_otlp`",
        dash,
        dash,
        dash,
        dash,
        f"1.15 (1.10{dash}1.20)",
        dash,
    ]
    assert len({len(line) for line in lines}) == 1


def test_one_round_has_no_spread() -> None:
    """A count is not shown with a minimum and a maximum of its own."""
    row = report.table([_measured({"ours": [0.0]}, Relation.ITSELF)]).splitlines()[2]
    assert [cell.strip() for cell in row.split("|")][-3:-1] == ["0", "1.2"]


@pytest.mark.parametrize(
    ("samples", "ours", "cell"),
    [({part("ours", "extra"): [3.0]}, 3.0, "3"), ({}, None, report.IMPOSSIBLE)],
)
def test_a_row_that_comes_along(samples: dict[str, list[float]], ours: float | None, cell: str) -> None:
    """It is an extra in the JSON and a row below its figure, which says so where it could not be measured."""
    figure = Figure("kept", "kept", "", "", Relation.ITSELF, lambda run: {}, also={"extra": "as well"})
    result = Measured(figure, {"ours": [1.0], **samples})
    assert report.document([result], {})["extras"]["extra"]["ours"] == ours
    row = report.table([result]).splitlines()[3]
    assert (row.split("|")[1].strip(), row.split("|")[-3].strip()) == ("as well", cell)


def test_figures_outside_the_contract_are_extras() -> None:
    """Automation finds nothing among `figures` that is not promised."""
    figure = Figure("more", "", "", "", Relation.ITSELF, lambda run: {}, contract=False)
    found = report.document([Measured(figure, {"ours": [1.0]})], {})
    assert (list(found["figures"]), list(found["extras"])) == ([], ["more"])


def test_a_place_for_the_result_is_checked_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Minutes of measuring are not lost to a directory that is absent or a page without markers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "available", lambda: True)
        patch.setattr(cli, "_measure", lambda options: pytest.fail("measured"))
        assert cli.main(["--json", str(tmp_path / "absent" / "figures.json")]) == 2
        assert "mkdir -p" in capsys.readouterr().err
        page = tmp_path / "performance.md"
        page.write_text("no markers")
        patch.setattr(cli, "ROOT", tmp_path)
        patch.setattr(cli, "DOCUMENT", page)
        assert cli.main(["--write-docs"]) == 2
        assert "has no lines" in capsys.readouterr().err


def test_the_page_keeps_its_words() -> None:
    """Writing the figures replaces what stands between the markers, and again the next time."""
    text = PAGE.read_text(encoding="utf-8")
    once = report.written(text, [_measured(SAMPLES)], {"python": "3"})
    assert "1.10 (1.05" in once
    assert "- python: 3" in once
    assert report.written(once, [_measured(SAMPLES)], {"python": "3"}) == once
    assert once.partition(report.BEGIN)[0] == text.partition(report.BEGIN)[0]
    assert once.partition(report.END)[2] == text.partition(report.END)[2]


def test_a_page_without_markers_is_refused() -> None:
    """Nothing is overwritten by guess."""
    with pytest.raises(ValueError, match="has no lines"):
        report.written("no markers", [], {})


def test_the_page_explains_every_figure() -> None:
    """docs/performance.md says of each figure what the code says of it."""
    assert report.meanings(FIGURES) in PAGE.read_text(encoding="utf-8")
