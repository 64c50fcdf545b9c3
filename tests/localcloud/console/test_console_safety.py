"""What spans and logs hold reaches the page without tricks and without credentials."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from console_server import serving
from handmade import PROJECT, TRACE_ID, log, request_log, server, trace
from stored_traces import fill, stored
from test_console_alerts import POLICY

TURNED = "exe.\u202etxt\u2028\x1b[31m"
SHOWN = "exe.\\u202etxt\\u2028\\x1b[31m"
PATH = f"/blueprint/traces/{TRACE_ID}"


def spans(**attributes: Any) -> list[Any]:
    """One span whose name, service and attributes are a stranger's."""
    (made,) = stored(trace(server(1, 0, TURNED, 0, 9, 500)))
    return [dataclasses.replace(made, name=TURNED, attributes={**made.attributes, **attributes})]


async def test_no_text_turns_the_page_round(tmp_path: Path) -> None:
    """Characters that reverse or break a line are written out: in names, sentences, log lines and attributes."""
    async with serving(tmp_path) as console:
        fill(console.spans, spans(**{"user.name": TURNED}))
        console.logs.write(log(1, "INFO", TURNED, 1))
        found = {
            "list": await console.json("/blueprint/traces"),
            "page": await console.json(PATH),
            "span": await console.json(f"{PATH}/spans/{1:016x}"),
            "map": await console.json("/blueprint/map"),
        }
    assert found["list"]["traces"][0]["service"] == SHOWN
    assert found["list"]["services"] == found["page"]["services"] == [SHOWN]
    assert SHOWN in found["page"]["verdict"]["sentence"]
    assert found["span"]["attributes"]["user.name"] == SHOWN
    assert found["map"]["nodes"][0]["name"] == SHOWN
    for each in found.values():
        assert not {"\u202e", "\u2028", "\x1b"} & set(json.dumps(each, ensure_ascii=False))


async def test_a_long_name_does_not_fill_the_screen(tmp_path: Path) -> None:
    """Two hundred characters of it are enough, in a sentence too; the filter finds it by what is shown."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(trace(server(1, 0, "s" * 10_000, 0, 9))))
        page, listed = await console.json(PATH), await console.json("/blueprint/traces")
        (name,) = listed["services"]
        assert (len(name), page["services"]) == (200, [name])
        assert len(page["verdict"]["sentence"]) < 600
        assert (await console.json(f"/blueprint/traces?service={name}"))["matching"] == 1


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("http.request.header.authorization", "hush-hush", "[redacted]"),
        ("http.request.header.set-cookie", "id=hush-hush", "[redacted]"),
        ("db.password", "hush-hush", "[redacted]"),
        ("url.full", "https://me:hush-hush@h/?token=hush-hush", "https://[redacted]@h/?token=[redacted]"),
        ("note", "sent Bearer hush-hush-hush", "sent Bearer [redacted]"),
        ("gen_ai.usage.input_tokens", 12, "12"),
        ("exception.stacktrace", "Traceback:\n  File\r\nEnd", "Traceback:\n  File\nEnd"),
    ],
)
async def test_credentials_of_an_attribute_are_struck_out(
    tmp_path: Path, key: str, value: Any, shown: str
) -> None:
    """By the key or by what the value looks like; numbers of tokens and the lines of a stack trace stay."""
    async with serving(tmp_path) as console:
        fill(console.spans, spans(**{key: value}))
        found = await console.json(f"{PATH}/spans/{1:016x}")
        page = await console.json(PATH)
    assert found["attributes"][key] == shown
    assert "hush-hush" not in json.dumps([found, page])


async def test_an_alert_shows_its_labels_and_keeps_its_query(tmp_path: Path) -> None:
    """Labels come from log entries; the document keeps its lines, and a query is run and so never changed."""
    async with serving(tmp_path) as console:
        query = 'httpRequest.status=504\nAND -textPayload:"token=x"'
        match = POLICY["conditions"][0]["conditionMatchedLog"] | {"filter": query}
        told = {"content": "${log.extracted_label.service}\n\ntimed out"}
        console.alerts.put(
            "1", POLICY | {"conditions": [{"conditionMatchedLog": match}], "documentation": told}
        )
        entry = request_log(5, "gateway", 504, "1s")
        entry["resource"]["labels"]["service_name"] = TURNED
        console.logs.write(entry | {"trace": f"projects/{PROJECT}/traces/{TRACE_ID}"})
        (alert,) = (await console.json("/blueprint/alerts"))["alerts"]
    assert alert["log"]["extractedLabels"] == {"service": SHOWN}
    assert alert["document"] == f"{SHOWN}\n\ntimed out"
    assert (alert["query"], alert["tone"]) == (query, "bad")
