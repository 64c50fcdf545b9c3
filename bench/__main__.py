"""`python -m bench`: measure what tracing costs, print the table, write the JSON and, if asked, docs/performance.md."""

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from bench import load, machine, report, variants
from bench.backends import Backends
from bench.errors import BenchError
from bench.figures import FIGURES
from bench.plan import FULL, QUICK
from bench.processes import ROOT
from bench.report import Measured
from bench.run import Run
from bench.variants import Variant

DOCUMENT = ROOT / "docs" / "performance.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 if something could not be measured, 2 if something it needs is missing."""
    options = _options(arguments)
    if missing := _missing(options):
        print(missing, file=sys.stderr)
        return 2
    # Python leaves SIGINT ignored in a shell's background job, and SIGTERM would skip every clean-up.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = _measure(options)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    _write(results, options)
    return 0


def _measure(options: argparse.Namespace) -> list[Measured]:
    with closing(Backends()) as backends:
        run = Run(QUICK if options.quick else FULL, _chosen(options), backends)
        return [
            Measured(figure, figure.measure(run))
            for figure in FIGURES
            if not options.only or figure.name in options.only
        ]


def _chosen(options: argparse.Namespace) -> list[Variant]:
    return [
        variant
        for variant in variants.VARIANTS
        if variant is variants.BARE or not options.variants or variant.key in options.variants
    ]


def _write(results: Sequence[Measured], options: argparse.Namespace) -> None:
    facts = machine.facts()
    print(report.table(results))
    if options.json:
        text = json.dumps(report.document(results, facts), indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.write_docs:
        before = DOCUMENT.read_text(encoding="utf-8")
        DOCUMENT.write_text(report.written(before, results, facts), encoding="utf-8")


def _missing(options: argparse.Namespace) -> str:
    if not load.available():
        return load.MISSING
    if options.json and (options.json.is_dir() or not options.json.absolute().parent.is_dir()):
        return f"--json {options.json} must be a file in a directory that exists: mkdir -p {options.json.parent}, or name another file"
    if options.write_docs and (refusal := _no_place()):
        return f"--write-docs: {DOCUMENT.relative_to(ROOT)}: {refusal}"
    return variants.missing_package() if variants.ZERO_CODE in _chosen(options) else ""


def _no_place() -> str:
    if not DOCUMENT.is_file():
        return "the document is absent: git checkout brings it back"
    return report.without_markers(DOCUMENT.read_text(encoding="utf-8"))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, under 3 minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument(
        "--only", type=_names({f.name for f in FIGURES}), metavar="NAME[,NAME]", help="some figures"
    )
    parser.add_argument(
        "--variants", type=_names(set(report.KEYS)), metavar="NAME[,NAME]", help="some variants, and bare"
    )
    options = parser.parse_args(arguments)
    if options.write_docs and (options.quick or options.only or options.variants):
        parser.error("--write-docs writes the whole table: leave out --quick, --only and --variants")
    return options


def _names(known: set[str]) -> Callable[[str], list[str]]:
    """A comma list of known names, for argparse."""

    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := sorted(set(names) - known):
            raise argparse.ArgumentTypeError(f"'{', '.join(unknown)}' is none of {', '.join(sorted(known))}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
