"""The expression that finds requests without spans from outside: its text, and the number of requests that leaves no doubt."""

from __future__ import annotations

import pytest
from stack_files import changed, filled_in, parsed

from infra.promql import CHANCE, FEWEST, enough_requests, requests_without_spans


@pytest.mark.parametrize("ratio", [1e-6, 0.001, 0.01, 0.05, 0.1, 0.2])
def test_so_many_requests_are_just_enough_to_believe_the_silence(ratio: float) -> None:
    """With one fewer, all of them unsampled would still be likelier than one in ten thousand."""
    n = enough_requests(ratio)
    assert (1 - ratio) ** n < CHANCE <= (1 - ratio) ** (n - 1)


@pytest.mark.parametrize(
    ("ratio", "requests"), [(0.1, 88), (0.01, 917), (0.5, FEWEST), (0.999, FEWEST), (1.0, FEWEST)]
)
def test_a_handful_of_requests_is_never_enough(ratio: float, requests: int) -> None:
    """One burst may leave all its spans in an instance that was frozen with them, whatever the ratio."""
    assert enough_requests(ratio) == requests


def test_the_expression() -> None:
    """Requests of the busiest service of this stack, against charged spans of the project, both over a quarter of an hour."""
    stack = parsed("prod", filled_in("prod"))
    assert requests_without_spans(stack) == (
        "max(sum by (service_name) (increase("
        'run_googleapis_com:request_count{monitored_resource="cloud_run_revision",project_id="acme-docs",'
        'location="europe-southwest1",service_name=~"archive-prod|extract-prod|gateway-prod"}[15m]))) > 88\n'
        "and\n"
        "(sum(increase("
        'cloudtrace_googleapis_com:billing_spans_ingested{monitored_resource="global",project_id="acme-docs",'
        'chargeable!="false"}[15m])) or vector(0)) == 0'
    )


def test_the_expression_is_the_same_in_whatever_order_services_are_declared() -> None:
    """Otherwise every `pulumi up` would change the policy."""
    values = filled_in("dev")
    backwards = changed(values, "services", dict(reversed(values["blueprint:services"].items())))
    assert requests_without_spans(parsed("dev", values)) == requests_without_spans(parsed("dev", backwards))


def test_both_sides_have_no_labels_left() -> None:
    """`and` compares label sets: one label on either side, and the alert never fires."""
    left, right = requests_without_spans(parsed("dev", filled_in("dev"))).split("\nand\n")
    assert left.startswith("max(")
    assert right.startswith("(sum(")
    assert " by " not in right
