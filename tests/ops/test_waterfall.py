"""The waterfall as text: what stands where, at any width, for any reader, whatever names spans have."""

import io
from dataclasses import replace

import pytest
from handmade import (
    AUSTRALIA,
    BEGIN_NS,
    call,
    healthy,
    log,
    platform,
    request_log,
    server,
    span,
    story,
    trace,
)
from rich.cells import cell_len
from rich.console import Console

from ops.bars import bar
from ops.findings import Findings
from ops.waterfall import Waterfall
from traces.analysis import Analysis, analyse

HOSTILE = "\x1b]0;owned\x07[bold red]x[/]\u202eevil\u2028line\r\n\x9b2J"


def rows(analysis: Analysis, width: int = 100, encoding: str = "utf-8", color: bool = False) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(
        file=file,
        width=width,
        highlight=False,
        force_terminal=color,
        color_system="standard" if color else None,
    )
    console.print(Waterfall(analysis))
    console.print(Findings(analysis))
    file.flush()
    lines = file.buffer.getvalue().decode(encoding).split("\n")  # type: ignore[attr-defined]
    return [line.rstrip() for line in lines[:-1]]


def incident() -> Analysis:
    entries = [
        log(3, "INFO", "document accepted", 1),
        log(1000, "ERROR", "the deadline of 1000 ms is spent", 1),
        request_log(0, "gateway", 504, "1.001s"),
        log(1105, "INFO", "stored", 5, "archive"),
    ]
    return analyse(story(), entries, {"documents-overseas": AUSTRALIA})


def test_the_story_at_100_columns() -> None:
    """Service, indented span, start, duration, self time, status, bar; logs; the 504 as a line."""
    assert rows(incident())[:17] == [
        "Trace 0af7651916cd43dd8448eb211c80319c  1,110 ms, 7 spans, gateway → extract → archive",
        "  service span                  start    ms  self status 0                                  1,110 ms",
        "● gateway POST /documents           0 1,000    10 504    ──────────────────────────────────────┊",
        "           · 0 ERROR request log: 504 after 1.001s POST /documents",
        "           · 3 INFO document accepted",
        "           · 1,000 ERROR the deadline of 1000 ms is spent",
        "● gateway └POST                    10   990     2 ERROR  ──────────────────────────────────────┊",
        "● extract  └POST /documents        12 1,098     3 201    ──────────────────────────────────────┊────",
        "● extract   └POST                  13 1,095     2 201    ──────────────────────────────────────┊────",
        "● archive    └POST /documents      14 1,093     8 201    ──────────────────────────────────────┊────",
        "               · 1,105 INFO stored",
        "● archive     └storage.store       15 1,085     1        ──────────────────────────────────────┊────",
        "● archive      └POST               16 1,084 1,084 200    ██████████████████████████████████████┊████",
        "                                                      504 sent to the client here, at 1,000 ms ┘",
        "  ● critical path   █ self   ─ waiting   ░ dark: no span explains it   · log",
        "Critical path of the 1,000 ms that the client waited",
        "   10 ms   1 %  gateway POST /documents",
    ]


def test_the_findings_of_the_story() -> None:
    """Path, dark time, who worked on for nobody, and the verdict last."""
    text = " ".join(" ".join(rows(incident())[15:]).split())
    assert "984 ms 98 % archive storage.store: POST to Cloud Storage" in text
    assert "Dark time: 4.0 ms of 1,110 ms 2.0 ms <1 % gateway waited for extract to begin" in text
    assert (
        "gateway answered 504 at 1,000 ms. Nobody waited any more for extract (201, 110 ms later) and archive (201, 107 ms later)."
        in text
    )
    assert text.endswith("runs in europe-southwest1; put the bucket into the service's region.")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_bars_use_it(width: int) -> None:
    lines = rows(incident(), width)
    assert max(map(cell_len, lines)) <= width
    if width >= 80:
        assert max(cell_len(line) for line in lines if line.startswith("●")) == width


def test_dark_time_is_drawn_unlike_work() -> None:
    spans = [server(1, 0, "a", 0, 100), call(2, 1, "a", 10, 90), server(3, 2, "b", 70, 90)]
    lines = rows(analyse(trace(*spans)), 80)
    assert [line[55:] for line in lines[2:5]] == [
        "██────────────────────███",
        "  ░░░░░░░░░░░░░░░░─────",
        "                 ██████",
    ]


def test_only_spans_on_the_critical_path_are_marked() -> None:
    spans = [
        server(1, 0, "a", 0, 100),
        *(span(i, 1, "a", f"part{i}", "INTERNAL", 10, 10 * i) for i in (5, 9)),
    ]
    assert [line[:1] for line in rows(analyse(trace(*spans)), 80)[2:5]] == ["●", "●", " "]


def test_a_caller_that_gave_up_inside_the_trace_gets_the_line() -> None:
    spans = [server(1, 0, "a", 0, 500, 200), call(2, 1, "a", 10, 100, None), server(3, 2, "b", 20, 300)]
    assert any("a gave up here, at 100 ms ┘" in line for line in rows(analyse(trace(*spans)), 100))
    assert not any("here, at" in line for line in rows(analyse(healthy()), 100))


def test_output_that_is_not_utf8_is_plain_ascii() -> None:
    spans = [replace(story().spans[0], name="POST /über/文書"), *story().spans[1:]]
    text = "\n".join(rows(analyse(trace(*spans), incident().entries), 100, "ascii"))
    assert text.isascii()
    assert r"POST /\xfcber" in text
    assert "* archive      `POST" in text
    assert "####|" in text


def test_a_pipe_gets_no_escapes_and_no_color_takes_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in "".join(rows(incident()))
    assert "\x1b[36m" in "".join(rows(incident(), color=True))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in "".join(rows(incident(), color=True))


def test_hostile_names_and_logs_reach_the_terminal_as_visible_text_only() -> None:
    spans = [
        server(1, 0, HOSTILE, 0, 100),
        replace(server(2, 1, "b", 10, 90), name=HOSTILE),
        replace(call(3, 2, "b", 20, 80, None, server__address=HOSTILE), name=HOSTILE),
    ]
    analysis = analyse(trace(*spans), [log(1, HOSTILE, HOSTILE, 2), log(1, "INFO", HOSTILE, 77, "nobody")])
    text = "\n".join(rows(analysis, 200))
    assert not {"\x1b", "\x07", "\x9b", "\r", "\u202e", "\u2028"} & set(text)
    assert r"\x1b]0;owned\x07[bold red]x[/]\u202eevil" in text


@pytest.mark.parametrize(
    "secret",
    [
        "Authorization: Bearer abcdef123456",
        "https://user:abcdef123456@example.com/",
        "GET /o?X-Goog-Signature=abcdef123456&x=1",
        'password="abcdef123456"',
        "eyJhbGciOi.eyJhdWQiabcdef123456.abcdef123456",
    ],
)
def test_credentials_in_logs_are_struck_out(secret: str) -> None:
    text = "\n".join(rows(analyse(healthy(), [log(1, "INFO", f"sent {secret}", 1)]), 140))
    assert "abcdef123456" not in text
    assert "[redacted]" in text


def test_many_log_lines_are_counted_not_listed() -> None:
    lines = rows(analyse(healthy(), [log(i, "INFO", f"line {i}", 1) for i in range(20)]))
    assert sum("INFO line" in line for line in lines) == 5
    assert any("and 15 more log lines" in line for line in lines)


def test_logs_without_their_span_go_under_their_service_or_to_the_end() -> None:
    entries = [request_log(36, "archive", 201, "0.019s"), log(5, "INFO", "lost", 77, "nobody")]
    lines = rows(analyse(healthy(), entries))
    at = next(i for i, line in enumerate(lines) if "request log" in line)
    assert "archive" in lines[at - 1]
    assert any("logs of spans that are not in the trace" in line for line in lines)
    assert any("lost" in line for line in lines)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({"textPayload": "plain"}, "plain"),
        (
            {"jsonPayload": {"message": "Traceback (most recent call last):\n  File x\nValueError: bad"}},
            "Traceback (most recent call last): ... ValueError: bad",
        ),
        ({"jsonPayload": {"code": 7}}, "{'code': 7}"),
        ({"jsonPayload": "odd", "resource": None, "timestamp": "yesterday"}, "- INFO odd"),
        ({}, "(no message)"),
    ],
)
def test_any_payload_is_one_short_line(payload: dict[str, object], shown: str) -> None:
    entry = {key: value for key, value in log(5, "INFO", "", 1).items() if key != "jsonPayload"} | payload
    assert any(shown in line for line in rows(analyse(healthy(), [entry])))


@pytest.mark.parametrize("resource", [None, "x", {"labels": "x"}, {}])
def test_an_entry_of_an_odd_resource_goes_to_the_end(resource: object) -> None:
    lines = rows(analyse(healthy(), [log(5, "INFO", "odd one") | {"resource": resource}]))
    assert any("odd one" in line for line in lines)


def test_lost_parents_and_wrong_clocks_are_admitted() -> None:
    spans = [
        server(1, 0, "a", 0, 100),
        call(2, 1, "a", 10, 90),
        server(3, 2, "b", -15, 45),
        server(9, 8, "c", 50, 60),
    ]
    text = " ".join(rows(analyse(trace(*spans)), 200))
    assert (
        "1 spans name a parent that is not in the trace (c POST /documents): a caller's spans are missing."
        in text
    )
    assert "Clocks differ; corrected: b by 35 ms." in text


def test_the_platforms_span_is_shown_with_whose_it_is() -> None:
    spans = [platform(9, 0, "gateway", 0, 100), server(1, 9, "gateway", 60, 100)]
    lines = rows(analyse(trace(*spans)), 120)
    assert lines[0].endswith("2 spans, gateway")
    assert lines[2].startswith("● Cloud Run /documents")
    assert any("60 ms  60 %  Cloud Run (gateway-local) waited for gateway to begin" in line for line in lines)


def test_a_call_that_names_its_callee_is_not_said_to_go_there_twice() -> None:
    spans = [
        server(1, 0, "a", 0, 100),
        replace(call(2, 1, "a", 10, 90), name="POST b"),
        server(3, 2, "b", 70, 90),
    ]
    assert any(line.endswith("60 %  a POST b (dark)") for line in rows(analyse(trace(*spans)), 120))


def test_an_empty_trace_is_said_to_be_empty() -> None:
    assert rows(analyse(trace()))[-1] == "The trace has no spans."


def test_a_thousand_deep_spans_fit_the_width() -> None:
    spans = [span(i, i - 1, "a", f"step {i}", "INTERNAL", i / 10, 1000 - i / 10) for i in range(1, 1001)]
    lines = rows(analyse(trace(*spans)), 80)
    assert len([line for line in lines if "step" in line]) > 1000
    assert max(map(cell_len, lines)) <= 80


def test_every_span_has_at_least_one_cell() -> None:
    assert (
        bar((BEGIN_NS, BEGIN_NS + 10**9), 10, [(BEGIN_NS + 5 * 10**8, BEGIN_NS + 5 * 10**8, "self")]).count(
            "self"
        )
        == 1
    )
