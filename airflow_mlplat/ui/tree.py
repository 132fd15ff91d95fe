"""A lineage as lines of an indented list: pure, from the catalog's graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_mlplat.catalog import RunInfo
from airflow_mlplat.catalog.lineage import walk
from airflow_mlplat.contract import KINDS
from airflow_mlplat.ui import pages


@dataclass(frozen=True)
class Line:
    """One line.

    Args:
        depth: 1 for what is next to the root.
        role: What the upper line's thing is to this one, or this one to it: `dataset`, `build.py`, `champion`.
        kind: `model`, `job`, `source`, …
        name: Its name.
        partition: Its partition, or empty.
        digest: Of an artifact, which has a page; None for other things.
        note: The task of a job, the outcome of a decision, the query of a source; or empty.
        repeated: It stands with all below it further up already.
    """

    depth: int
    role: str
    kind: str
    name: str
    partition: str
    digest: str | None
    note: str
    repeated: bool


@dataclass(frozen=True)
class Tree:
    """Lines, and how many things were left out for want of room."""

    lines: list[Line]
    left_out: int


def lines(graph: Mapping[str, Any], direction: str, limit: int) -> Tree:
    """Everything above (`up`) or below (`down`) the root, each thing once with all that follows from it.

    Args:
        graph: As `catalog.lineage` gives it for that direction.
        direction: `up` or `down`.
        limit: Lines at most.
    """
    nodes = graph["nodes"]
    shown = list(islice(walk(graph, direction), 1 + limit))
    found = [_line(depth, role, node, nodes[node], repeated) for depth, node, role, repeated in shown[1:]]
    return Tree(found, len(set(nodes) - {node for _, node, _, _ in shown}))


def _line(depth: int, role: str, node: str, known: Mapping[str, Any], repeated: bool) -> Line:
    kind, _, identity = node.partition(":")
    digest = identity if kind in KINDS else None
    note = _note(kind, known["detail"])
    return Line(depth, role, kind, known["name"], known["partition"] or "", digest, note, repeated)


def _note(kind: str, detail: Mapping[str, Any]) -> str:
    if kind == "job" and detail.get("run"):
        return pages.run(RunInfo(**detail["run"]))
    if kind == "decision":
        return str(detail.get("outcome", ""))
    if kind == "source":
        return str(detail.get("query") or detail.get("path") or "")
    return ""
