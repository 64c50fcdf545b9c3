"""Every form in which people hold a trace id."""

import pytest
from handmade import TRACE_ID

from ops.errors import OperatorError
from ops.traceid import parse_trace_id


@pytest.mark.parametrize(
    ("text", "project"),
    [
        (TRACE_ID, None),
        (TRACE_ID.upper(), None),
        (f"  {TRACE_ID}\n", None),
        (f"projects/my-project/traces/{TRACE_ID}", "my-project"),
        (f"{TRACE_ID}/12084647744699216188;o=1", None),
        (f"{TRACE_ID}/1", None),
        (f"00-{TRACE_ID}-a7b54b18ba85b13c-03", None),
    ],
)
def test_every_form_gives_the_same_id(text: str, project: str | None) -> None:
    assert parse_trace_id(text) == (TRACE_ID, project)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 32,
        TRACE_ID[:31],
        TRACE_ID + "0",
        f"00-{TRACE_ID}",
        f"projects//traces/{TRACE_ID}",
        "\x1b[2J",
    ],
)
def test_anything_else_is_refused_with_the_forms_that_are_accepted(text: str) -> None:
    with pytest.raises(
        OperatorError, match="is not a trace id: give 32 hex digits, projects/PROJECT/traces/ID"
    ) as caught:
        parse_trace_id(text)
    assert "\x1b" not in str(caught.value)
