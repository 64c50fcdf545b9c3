"""The result: as JSON with fixed names, as a table, and as that table between the markers of docs/performance.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.figure import Figure, part
from bench.ratios import Relation, Samples, Values, summary
from bench.variants import OURS_GCP_OTLP, VARIANTS

DASH = "\N{EN DASH}"
IMPOSSIBLE = "not possible here"
KEYS = tuple(variant.key for variant in VARIANTS)
BEGIN, END = "<!-- figures: written by `make bench ARGS=--write-docs` -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Measured:
    """A figure and its samples."""

    figure: Figure
    samples: Samples

    def values(self) -> Values:
        """What goes into the JSON under the figure's name."""
        return summary(self.samples, self.figure.relation, KEYS)

    def extra(self) -> Values | None:
        """The same for the template with its default exporter, where that was measured."""
        if OURS_GCP_OTLP.key not in self.samples:
            return None
        found = summary(self.samples, self.figure.relation, [OURS_GCP_OTLP.key], spread_of=OURS_GCP_OTLP.key)
        found["ours"] = found.pop(OURS_GCP_OTLP.key)
        return dict.fromkeys(KEYS) | found

    def also(self) -> dict[str, Values]:
        """What the same measurement yields besides, by name; without any sample it was not possible here."""
        return {name: summary(self._parts(name), Relation.ITSELF, KEYS) for name in self.figure.also}

    def _parts(self, name: str) -> Samples:
        return {key: self.samples[part(key, name)] for key in KEYS if part(key, name) in self.samples}

    def absolutes(self) -> dict[str, float]:
        """Each variant's median in the figure's own unit."""
        return {key: median(found) for key, found in self.samples.items() if found}


def document(results: Sequence[Measured], facts: Mapping[str, str]) -> dict[str, Any]:
    """The JSON: `figures` by name; beside them what was measured in absolute terms, and on what."""
    return {
        "figures": {result.figure.name: result.values() for result in results if result.figure.contract},
        "extras": _extras(results),
        "absolutes": {
            result.figure.name: {"unit": result.figure.unit, **result.absolutes()}
            for result in results
            if result.figure.unit
        },
        "machine": dict(facts),
    }


def _extras(results: Sequence[Measured]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    for result in results:
        if not result.figure.contract:
            extras[result.figure.name] = result.values()
        if extra := result.extra():
            extras[f"{result.figure.name}_gcp_otlp"] = extra
        for name, values in result.also().items():
            extras[name] = values if values["rounds"] else {**values, "note": IMPOSSIBLE}
    return extras


def table(results: Sequence[Measured]) -> str:
    """The figures in Markdown, legible in a terminal too."""
    head = ["figure", *(variant.title for variant in VARIANTS[:-1]), f"ours (min{DASH}max)", "target"]
    rows = [head]
    for result in results:
        rows.append(_row(result.figure.title, result.values(), result.figure.target))
        if extra := result.extra():
            rows.append(_row(f"{result.figure.title}, with `gcp_otlp`", extra, ""))
        rows += [_row(result.figure.also[name], values, "") for name, values in result.also().items()]
    return aligned(rows)


def absolute_table(results: Sequence[Measured]) -> str:
    """What the ratios were made of: medians in their own units."""
    rows = [["median", *(variant.title for variant in VARIANTS)]]
    for result in (result for result in results if result.figure.relation is not Relation.ITSELF):
        found = result.absolutes()
        rows.append(
            [f"{result.figure.title}: {result.figure.unit}", *(_number(found.get(key)) for key in KEYS)]
        )
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with columns of even width; all but the first are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| "
        + " | ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = (
        "|" + "|".join("-" * (w + 2) if c == 0 else "-" * (w + 1) + ":" for c, w in enumerate(widths)) + "|"
    )
    return "\n".join([lines[0], rule, *lines[1:]])


def meanings(figures: Sequence[Figure]) -> str:
    """What each figure says, as the list that docs/performance.md carries."""
    return "\n".join(f"- **{figure.title}** (`{figure.name}`): {figure.meaning}" for figure in figures)


def without_markers(text: str) -> str:
    """A sentence if the document has no place for the figures."""
    if END in text.partition(BEGIN)[2]:
        return ""
    return f"the document has no lines '{BEGIN}' and '{END}': put them where the figures shall stand"


def written(text: str, results: Sequence[Measured], facts: Mapping[str, str]) -> str:
    """`text` with this run's tables and facts between its markers. Raises ValueError if it has no markers."""
    if refusal := without_markers(text):
        raise ValueError(refusal)
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    measured_on = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    parts = [table(results), "Behind the ratios:", absolute_table(results), "Measured on:", measured_on]
    return before + begin + "\n" + "\n\n".join(parts) + "\n" + end + after


def _row(title: str, values: Values, target: str) -> list[str]:
    others = [_number(values[key]) for key in KEYS[:-1]]
    ours = _number(values["ours"])
    if not values["rounds"]:
        ours = IMPOSSIBLE
    elif values["rounds"] != 1 and values["ours"] is not None:
        ours += f" ({_number(values['min'])}{DASH}{_number(values['max'])})"
    return [title, *others, ours, target or DASH]


def _number(value: float | None) -> str:
    if value is None:
        return DASH
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
