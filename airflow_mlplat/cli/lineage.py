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
    from airflow_mlplat.catalog.lineage import walk

    for depth, name, role, repeated in walk(graph, direction):
        arrow = {"up": "<- ", "down": "-> "}[direction] if depth else ""
        yield f"{'  ' * depth}{arrow}{_label(name, graph['nodes'][name], role)}{' (above)' if repeated else ''}"


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
