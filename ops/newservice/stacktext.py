"""A stack file's text with one more service, and one more call to it. Everything else stays as it was written.

PyYAML says where things stand; text is put in there, and the result is read again and compared.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ops.errors import OperatorError

SERVICES = "blueprint:services"
Edit = tuple[int, str]  # where in the text, and what is put there


def with_service(file: str, text: str, name: str, entry: Mapping[str, Any], called_by: str | None) -> str:
    """`text` with service `name`, called by `called_by`. Raises `OperatorError` if it is written in a way that this cannot follow."""
    newline = "\r\n" if "\r\n" in text else "\n"
    services = _services(file, text)
    edits = [(_line_end(text, services), _entry(services, name, entry))]
    if called_by is not None:
        edits.append(
            _call(file, text, services, called_by, name)
        )  # never behind the entry, so its place stays
    result = text
    for where, what in edits:
        result = result[:where] + what.replace("\n", newline) + result[where:]
    if _parsed(result) != _wanted(text, name, entry, called_by):
        raise _by_hand(file, f"{name} could not be added without changing more")
    return result


def _services(file: str, text: str) -> MappingNode:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    config = _value(root, "config") if isinstance(root, MappingNode) else None
    services = _value(config, SERVICES) if isinstance(config, MappingNode) else None
    if not isinstance(services, MappingNode) or services.flow_style or not services.value:
        raise _by_hand(file, f"{SERVICES} is no map of one line or more for each service")
    return services


def _entry(services: MappingNode, name: str, entry: Mapping[str, Any]) -> str:
    """The lines of the new service, indented like the others."""
    outer = services.start_mark.column
    inner = next((v.start_mark.column for _, v in services.value if _is_block(v)), outer + 2) - outer
    dumped = yaml.safe_dump({name: dict(entry)}, sort_keys=False, indent=inner, width=1000)
    return "".join(f"\n{' ' * outer}{line}" for line in dumped.splitlines())


def _call(file: str, text: str, services: MappingNode, caller: str, name: str) -> Edit:
    service = _value(services, caller)
    if service is None:
        raise OperatorError(
            f"--called-by {caller}: {file} has no such service; there are: "
            f"{', '.join(key.value for key, _ in services.value)}."
        )
    if not isinstance(service, MappingNode) or service.flow_style:
        raise _by_hand(file, f"{caller} is no map of several lines")
    calls = _value(service, "calls")
    if calls is None:
        return _line_end(text, service), f"\n{' ' * service.start_mark.column}calls: [{name}]"
    if not isinstance(calls, SequenceNode):
        raise _by_hand(file, f"{caller}.calls is no list")
    if not calls.flow_style:
        return _line_end(text, calls), f"\n{' ' * calls.start_mark.column}- {name}"
    if calls.value:
        return calls.value[-1].end_mark.index, f", {name}"
    return calls.start_mark.index + 1, name


def _is_block(node: Node) -> bool:
    return isinstance(node, MappingNode) and not node.flow_style and bool(node.value)


def _value(node: Node | None, key: str) -> Node | None:
    assert isinstance(node, MappingNode)
    found = (value for each, value in node.value if _is_text(each) and each.value == key)
    return next(found, None)


def _is_text(node: Node) -> bool:
    """A key `3` or `on` is none to PyYAML, so no name is it."""
    return isinstance(node, ScalarNode) and node.tag == "tag:yaml.org,2002:str"


def _end(node: Node) -> int:
    """Behind the last character; PyYAML's own mark of a block stands before whatever comes next."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return node.end_mark.index


def _line_end(text: str, node: Node) -> int:
    """The end of the node's last line, a comment there included."""
    last = len(text[: _end(node)].rstrip())
    end = text.find("\n", last)
    return len(text) if end < 0 else end - (text[end - 1] == "\r")


def _parsed(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _wanted(text: str, name: str, entry: Mapping[str, Any], called_by: str | None) -> Any:
    document = copy.deepcopy(yaml.safe_load(text))
    services = document["config"][SERVICES]
    if called_by is not None:
        services[called_by]["calls"] = [*(services[called_by].get("calls") or []), name]
    services[name] = dict(entry)
    return document


def _by_hand(file: str, why: str) -> OperatorError:
    return OperatorError(
        f"{file}: {why}; write the services one below the other, as the shipped stack files do."
    )
