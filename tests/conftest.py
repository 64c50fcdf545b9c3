"""Keeps the marker `xdist_group` working: pytest-xdist 3.8 writes `item._nodeid`, which pytest 9.2 no longer reads."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the group's name behind the id of each marked test, as xdist does and its scheduler expects."""
    for item in items:
        marker = item.get_closest_marker("xdist_group")
        if marker and config.getoption("loadgroup", False) and "@" not in item.nodeid:
            item._id = type(item._id).parse(f"{item.nodeid}@{marker.args[0]}")
