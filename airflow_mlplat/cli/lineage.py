"""`airflow mlplat lineage`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from airflow_mlplat.cli import places
from airflow_mlplat.cli.output import SHORT, command, print_document


@command
def show(args: Namespace) -> None:
    """A lineage, as a tree or as the whole graph."""
    graph = places.catalog().lineage(args.ref, args.direction)
    if args.output != "table":
        print_document(graph, args.output)
        return
    for direction in ("up", "down"):
        if args.direction in (direction, "both"):
            print("\n".join(tree(graph, direction)))


def tree(graph: dict[str, Any], direction: str) -> Iterator[str]:
    """Lines of the graph as a tree; a node that was shown already is shown without what is below it."""
    below: dict[str, list[tuple[str, str]]] = {}
    for child, parent, role in graph["edges"]:
        here, there = (child, parent) if direction == "up" else (parent, child)
        below.setdefault(here, []).append((there, role))
    seen: set[str] = set()
    stack = [(graph["root"], "", 0)]
    while stack:
        name, role, depth = stack.pop()
        again = name in seen and name in below
        arrow = {"up": "<- ", "down": "-> "}[direction] if depth else ""
        yield f"{'  ' * depth}{arrow}{_label(name, graph['nodes'][name], role)}{' (above)' if again else ''}"
        if name not in seen:
            seen.add(name)
            stack += [(other, other_role, depth + 1) for other, other_role in reversed(below.get(name, []))]


def _label(name: str, node: dict[str, Any], role: str) -> str:
    kind, _, identity = name.partition(":")
    detail = node["detail"]
    short = identity if kind == "partition" else identity[:SHORT]
    parts = [kind, node["name"] if node["name"] != short else None, short]
    parts.append(node["partition"] if kind != "partition" else None)
    parts.append(detail.get("outcome") or detail.get("query"))
    if role and role not in (kind, node["name"]):
        parts.append(f"[{role}]")
    return " ".join(" ".join(str(part).split()) for part in parts if part)
