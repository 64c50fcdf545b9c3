"""As much PromQL as our expressions use, over series made by hand: parsed by a grammar, evaluated at one moment.

A counter is a list of increments, one for each minute, the newest last; a gauge's value is its last entry. Nothing is
extrapolated: a window of five minutes is the last five entries.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lark import Lark, Transformer, v_args

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_PARSER = Lark(
    r"""
    ?start: either
    ?either: both | either "or" both -> union
    ?both: compared | both "and" compared -> intersection
    ?compared: added | compared COMPARE added -> binary
    ?added: multiplied | added ADD multiplied -> binary
    ?multiplied: atom | multiplied MULTIPLY atom -> binary
    ?atom: NUMBER -> number
        | "(" either ")"
        | AGGREGATION ["by" "(" LABEL ("," LABEL)* ")"] "(" either ")" -> aggregation
        | FUNCTION "(" either ("," either)* ")" -> call
        | METRIC "{" [matcher ("," matcher)*] "}" ["[" MINUTES "]"] -> selector
    matcher: LABEL OPERATOR STRING
    AGGREGATION.2: /(sum|max|min)\b/
    FUNCTION.2: /(increase|rate|histogram_quantile|clamp_min|vector)\b/
    METRIC: /[a-z_][a-z0-9_]*:[a-z0-9_]+/
    LABEL: /[a-z_]+/
    OPERATOR: "=~" | "!=" | "="
    COMPARE: ">=" | "==" | ">" | "<"
    ADD: "+" | "-"
    MULTIPLY: "*" | "/"
    MINUTES: /[0-9]+[mhd]/
    NUMBER: /[0-9]+(\.[0-9]+)?/
    STRING: /"[^"]*"/
    %ignore /\s+/
    """,
    parser="lalr",
)

_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else math.nan if a == 0 or math.isnan(a) else math.inf,
}
_COMPARISON: Mapping[str, Callable[[float, float], bool]] = {
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
}


@dataclass(frozen=True)
class Series:
    """One time series."""

    metric: str
    labels: Mapping[str, str]
    minutes: Sequence[float]


def parse(query: str) -> Any:
    """The syntax tree; raises lark's errors for what is no PromQL, or more of it than is known here."""
    return _PARSER.parse(query)


def evaluate(query: str, series: Sequence[Series]) -> Vector | float:
    """The value now: a number, or values by label set."""
    result: Vector | float = _Evaluation(series).transform(parse(query))
    return result


def fires(query: str, series: Sequence[Series]) -> bool:
    """Whether an alert on this expression is true now."""
    return bool(evaluate(query, series))


@v_args(inline=True)
class _Evaluation(Transformer[Any, Any]):
    def __init__(self, series: Sequence[Series]) -> None:
        super().__init__()
        self._series = series

    def number(self, text: str) -> float:
        return float(text)

    def matcher(self, label: str, operator: str, text: str) -> Callable[[Mapping[str, str]], bool]:
        value = text[1:-1]
        if operator == "=~":
            return lambda labels: re.fullmatch(value, labels.get(label, "")) is not None
        return lambda labels: (labels.get(label, "") == value) is (operator == "=")

    def selector(self, metric: str, *rest: Any) -> dict[Labels, Any]:
        *matchers, window = rest
        found = [
            each
            for each in self._series
            if each.metric == metric and all(match(each.labels) for match in matchers if match)
        ]
        if window is None:
            return {_labels(each): each.minutes[-1] for each in found}
        minutes = int(window[:-1]) * {"m": 1, "h": 60, "d": 1440}[window[-1]]
        return {_labels(each): (sum(each.minutes[-minutes:]), minutes) for each in found}

    def aggregation(self, name: str, *rest: Any) -> Vector:
        *by, vector = rest
        groups: dict[Labels, list[float]] = {}
        for labels, value in vector.items():
            groups.setdefault(frozenset((k, v) for k, v in labels if k in by), []).append(value)
        return {
            labels: {"sum": sum, "max": max, "min": min}[name](values) for labels, values in groups.items()
        }

    def call(self, name: str, *arguments: Any) -> Vector:
        match name, arguments:
            case "increase", (ranges,):
                return {labels: total for labels, (total, _) in ranges.items()}
            case "rate", (ranges,):
                return {labels: total / (60 * minutes) for labels, (total, minutes) in ranges.items()}
            case "clamp_min", (vector, least):
                return {labels: max(value, least) for labels, value in vector.items()}
            case "vector", (number,):
                return {frozenset(): number}
            case "histogram_quantile", (quantile, buckets):
                return _quantiles(quantile, buckets)
        raise ValueError(f"{name} with {len(arguments)} arguments is not known here.")

    def union(self, left: Vector, right: Vector) -> Vector:
        return {**right, **left}

    def intersection(self, left: Vector, right: Vector) -> Vector:
        return {labels: value for labels, value in left.items() if labels in right}

    def binary(self, left: Any, operator: str, right: Any) -> Any:
        if operator in _COMPARISON:
            compare = _COMPARISON[operator]
            return {k: a for k, (a, b) in _pairs(left, right).items() if compare(a, b)}
        calculate = _ARITHMETIC[operator]
        if isinstance(left, float) and isinstance(right, float):
            return calculate(left, right)
        return {k: calculate(a, b) for k, (a, b) in _pairs(left, right).items()}


def _labels(series: Series) -> Labels:
    return frozenset(series.labels.items())


def _pairs(left: Any, right: Any) -> dict[Labels, tuple[float, float]]:
    if isinstance(right, float):
        return {labels: (value, right) for labels, value in left.items()}
    if isinstance(left, float):
        return {labels: (left, value) for labels, value in right.items()}
    return {labels: (value, right[labels]) for labels, value in left.items() if labels in right}


def _quantiles(quantile: float, buckets: Vector) -> Vector:
    groups: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        rest, le = frozenset(x for x in labels if x[0] != "le"), dict(labels)["le"]
        groups.setdefault(rest, []).append((float(le), count))
    return {labels: _quantile(quantile, sorted(bounds)) for labels, bounds in groups.items()}


def _quantile(quantile: float, bounds: list[tuple[float, float]]) -> float:
    """Linear within the bucket, as Prometheus does it; the highest finite bound stands for what is above it."""
    total = bounds[-1][1]
    if not total:
        return math.nan
    low = below = 0.0
    for bound, count in bounds:
        if count >= quantile * total and count > below:
            return (
                low
                if math.isinf(bound)
                else low + (bound - low) * (quantile * total - below) / (count - below)
            )
        low, below = bound, count
    return low
