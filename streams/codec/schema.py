"""An Avro schema as a small tree, names resolved, logical types dropped: times stay integers, in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Where a schema carries those that it refers to, each before what names it; Avro itself has no word for that.
DEFINITIONS = "definitions"
#: How many of a finer time's units are a millisecond.
_PER_MS = {"timestamp-micros": 1_000, "timestamp-nanos": 1_000_000}
PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class SchemaError(ValueError):
    """A schema that is no Avro schema, or names a type it does not define."""


@dataclass(slots=True, eq=False)
class Node:
    """One type of a writer's schema; a named type met again is the same node.

    ``parts`` are a record's fields, a union's branches, or the one item type of an array or a map;
    ``names`` are the field names of a record; ``per`` is how many of a long's units are one of ours.
    """

    kind: str
    name: str = ""
    names: list[str] = field(default_factory=list)
    parts: list[Node] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    size: int = 0
    per: int = 1


def parse(schema: Any) -> Node:
    """Return the tree of a schema as ``json.loads`` gives it.

    Raises
    ------
    SchemaError
        If it is not a schema.

    """
    named: dict[str, Node] = {}
    try:
        for each in schema.get(DEFINITIONS, ()) if isinstance(schema, dict) else ():
            _node(each, "", named)
        return _node(schema, "", named)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"not an Avro schema: {type(error).__name__} {error}"
        raise SchemaError(msg) from error


def _node(schema: Any, namespace: str, named: dict[str, Node]) -> Node:
    if isinstance(schema, list):
        return Node("union", parts=[_node(branch, namespace, named) for branch in schema])
    if isinstance(schema, str):
        return _reference(schema, namespace, named)
    kind = schema["type"]
    if not isinstance(kind, str):
        return _node(kind, namespace, named)
    match kind:
        case "record" | "error":
            return _record(schema, namespace, named)
        case "enum":
            node = _define("enum", schema, namespace, named)
            node.symbols = [str(symbol) for symbol in schema["symbols"]]
            return node
        case "fixed":
            node = _define("fixed", schema, namespace, named)
            node.size = _size(schema["size"])
            return node
        case "array":
            return Node("array", parts=[_node(schema["items"], namespace, named)])
        case "map":
            return Node("map", parts=[_node(schema["values"], namespace, named)])
        case "long":
            return Node("long", per=_PER_MS.get(schema.get("logicalType"), 1))
        case _:
            return _reference(kind, namespace, named)


def _size(size: Any) -> int:
    if not isinstance(size, int) or size < 0:
        msg = f"size of a fixed must be a whole number, was {size!r}"
        raise SchemaError(msg)
    return size


def _reference(name: str, namespace: str, named: dict[str, Node]) -> Node:
    if name in PRIMITIVES:
        return Node(name)
    full = name if "." in name or not namespace else f"{namespace}.{name}"
    if full not in named:
        msg = f"type {full} is not defined"
        raise SchemaError(msg)
    return named[full]


def _define(kind: str, schema: dict[str, Any], namespace: str, named: dict[str, Node]) -> Node:
    name = schema["name"]
    space = schema.get("namespace", namespace)
    full = name if "." in name or not space else f"{space}.{name}"
    named[full] = Node(kind, full)
    return named[full]


def _record(schema: dict[str, Any], namespace: str, named: dict[str, Node]) -> Node:
    # Defined before its fields are read: a field may name the record that holds it.
    node = _define("record", schema, namespace, named)
    space = node.name.rpartition(".")[0]
    node.names = [str(part["name"]) for part in schema["fields"]]
    node.parts = [_node(part["type"], space, named) for part in schema["fields"]]
    return node
