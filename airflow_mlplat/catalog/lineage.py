"""What was made from what: edges between nodes, walked up to the sources or down to what they ended in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog.session import insert_absent
from airflow_mlplat.catalog.tables import ARTIFACT, DECISION, JOB, LINEAGE, SOURCE
from airflow_mlplat.contract import KINDS
from airflow_mlplat.errors import NotFoundError, SpecError

Edge = tuple[str, str, str]
"""Child, parent, role."""

NODE_KINDS = (*KINDS, "job", "source", "file", "code", "partition")
DIRECTIONS = ("up", "down", "both")

_CHUNK = 500
"""Values in one IN list: SQLite before 3.32 takes at most 999 variables (sqlite.org/limits.html)."""

_SHOWN = (
    "framework",
    "training",
    "samples",
    "classes",
    "label_counts",
    "metrics",
    "dropped",
    "quarantined",
    "model",
    "dataset",
)
"""What of a manifest is shown with a node: the small facts."""


def walk(graph: Mapping[str, Any], direction: str) -> Iterator[tuple[int, str, str, bool]]:
    """A lineage as the lines of a tree: each node with what is next to it below it, in order of role, day and name.

    Args:
        graph: As `graph` gives it.
        direction: `up` or `down`.

    Yields:
        Depth (0 for the root), node, role of the edge to the line above, and whether the node stood there before with
        all that is below it, which is then left out.
    """
    beside: dict[str, list[tuple[str, str, str]]] = {}
    for child, parent, role in graph["edges"]:
        here, there = (child, parent) if direction == "up" else (parent, child)
        beside.setdefault(here, []).append((role, graph["nodes"][there]["partition"] or "", there))
    seen: set[str] = set()
    # A stack instead of recursion: models trained on from models make long chains.
    waiting = [(0, "", graph["root"])]
    while waiting:
        depth, role, name = waiting.pop()
        yield depth, name, role, name in seen and name in beside
        if name not in seen:
            seen.add(name)
            waiting += [(depth + 1, role, step) for role, _, step in sorted(beside.get(name, []), reverse=True)]


def node(kind: str, identity: str) -> str:
    """A node's name, `model:9f3a…`."""
    return f"{kind}:{identity}"


def add(connection: sa.Connection, edges: Iterable[Edge]) -> None:
    """Record edges; those recorded already stay."""
    rows = [{"child": child, "parent": parent, "role": role} for child, parent, role in dict.fromkeys(edges)]
    insert_absent(connection, LINEAGE, rows)


def graph(connection: sa.Connection, root: str, direction: str) -> dict[str, Any]:
    """The root with all its ancestors (`up`), descendants (`down`), or both.

    Returns:
        `{"root": node, "nodes": {node: {"kind", "name", "partition", "detail"}}, "edges": [[child, parent, role]]}`,
        edges sorted.

    Raises:
        SpecError: The direction is unknown.
        NotFoundError: Nothing is known about the root.
    """
    if direction not in DIRECTIONS:
        raise SpecError("unknown direction of a lineage", expected=" | ".join(DIRECTIONS), got=repr(direction))
    edges: set[Edge] = set()
    if direction != "down":
        edges |= _walk(connection, root, here=LINEAGE.c.child, there=LINEAGE.c.parent)
    if direction != "up":
        edges |= _walk(connection, root, here=LINEAGE.c.parent, there=LINEAGE.c.child)
    names = {root} | {edge[0] for edge in edges} | {edge[1] for edge in edges}
    nodes = describe(connection, names, edges)
    if not edges and not _touched(connection, root) and not nodes[root]["detail"]:
        raise NotFoundError(
            f"nothing is known about {root}",
            fix="`airflow mlplat datasets list` and `models list` show names, `lineage NAME` what they were made from",
        )
    return {"root": root, "nodes": nodes, "edges": [list(edge) for edge in sorted(edges)]}


def whole_node(connection: sa.Connection, text: str) -> str:
    """The one node whose name begins so, as trees show names cut; the text itself where there is none, or itself.

    Raises:
        NotFoundError: Several begin so.
    """
    found: set[str] = set()
    for column in (LINEAGE.c.child, LINEAGE.c.parent):
        query = sa.select(column).where(column.startswith(text, autoescape=True)).distinct().limit(3)
        found |= set(connection.execute(query).scalars())
    if text in found or not found:
        return text
    if len(found) > 1:
        raise NotFoundError(f"{text!r} names several things", got=", ".join(sorted(found)), fix="give more digits")
    return found.pop()


def _touched(connection: sa.Connection, root: str) -> bool:
    query = sa.select(LINEAGE.c.child).where((LINEAGE.c.child == root) | (LINEAGE.c.parent == root)).limit(1)
    return connection.execute(query).first() is not None


def _walk(connection: sa.Connection, root: str, here: Any, there: Any) -> set[Edge]:
    """All edges that can be reached, level by level: a few queries, whatever the number of nodes."""
    edges: set[Edge] = set()
    seen, level = {root}, [root]
    while level:
        found: list[Edge] = []
        for part in _chunks(level):
            query = sa.select(LINEAGE.c.child, LINEAGE.c.parent, LINEAGE.c.role).where(here.in_(part))
            found += [(child, parent, role) for child, parent, role in connection.execute(query)]
        edges.update(found)
        reached = {edge[0] if there is LINEAGE.c.child else edge[1] for edge in found}
        level = sorted(reached - seen)
        seen |= reached
    return edges


def describe(connection: sa.Connection, names: Iterable[str], edges: Iterable[Edge]) -> dict[str, dict[str, Any]]:
    """What is known about nodes: kind, name, partition, and a detail that depends on the kind."""
    nodes: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        kind, _, identity = name.partition(":")
        nodes[name] = {"kind": kind, "name": identity[:12], "partition": None, "detail": {}}
    for name in [name for name in nodes if nodes[name]["kind"] == "partition"]:
        identity = name.partition(":")[2]
        nodes[name].update(name=identity, partition=identity)
    for _, parent, role in edges:
        if parent.startswith("file:"):
            nodes[parent]["name"] = role  # the role of a file is its name
    for describe_kind in (_artifacts, _jobs, _sources, _decisions):
        describe_kind(connection, nodes)
    return nodes


def _artifacts(connection: sa.Connection, nodes: dict[str, dict[str, Any]]) -> None:
    for row in _rows(connection, ARTIFACT, ARTIFACT.c.digest, _identities(nodes, *KINDS)):
        known = nodes.get(node(row.kind, row.digest))
        if known is not None:
            facts = {key: row.document[key] for key in _SHOWN if key in row.document}
            detail = {"digest": row.digest, "created_at": row.created_at.isoformat(), "job_key": row.job_key, **facts}
            known.update(name=row.name, partition=row.partition or None, detail=detail)


def _jobs(connection: sa.Connection, nodes: dict[str, dict[str, Any]]) -> None:
    for row in _rows(connection, JOB, JOB.c.key, _identities(nodes, "job")):
        spec, result = row.spec, row.result
        detail = {
            "stage": row.stage, "framework": spec["framework"], "params": spec["params"], "image": spec["image"],
            "code_version": spec["code_version"], "metrics": result["metrics"], "stats": result["stats"],
            "run": row.run, "created_at": row.created_at.isoformat(),
        }  # fmt: skip
        name = f"{row.stage} {row.name}"
        nodes[node("job", row.key)].update(name=name, partition=row.run["partition"] or None, detail=detail)


def _sources(connection: sa.Connection, nodes: dict[str, dict[str, Any]]) -> None:
    for row in _rows(connection, SOURCE, SOURCE.c.digest, _identities(nodes, "source")):
        known = nodes[node("source", row.digest)]
        partition, kind = row.document.get("partition"), row.document.get("kind")
        known.update(name=str(kind or known["name"]), partition=partition, detail=row.document)


def _decisions(connection: sa.Connection, nodes: dict[str, dict[str, Any]]) -> None:
    wanted = [name for name in nodes if nodes[name]["kind"] == "decision"]
    for row in _rows(connection, DECISION, DECISION.c.node, wanted):
        known = nodes[row.node]
        outcome = {
            "outcome": row.outcome,
            "reason": row.reason,
            "decided_at": row.decided_at.isoformat(),
            "run": row.run,
        }
        known.update(name=row.name, partition=row.partition, detail={**known["detail"], **outcome})


def _identities(nodes: dict[str, dict[str, Any]], *kinds: str) -> list[str]:
    return [name.partition(":")[2] for name, known in nodes.items() if known["kind"] in kinds]


def _rows(connection: sa.Connection, table: sa.Table, column: Any, values: list[str]) -> Iterator[Any]:
    for part in _chunks(values):
        query = sa.select(table).where(column.in_(part))
        # Of several decisions on one manifest, the newest is told last, and stays.
        yield from connection.execute(query.order_by(table.c.id) if "id" in table.c else query)


def _chunks(values: list[str]) -> Iterator[list[str]]:
    return (values[i : i + _CHUNK] for i in range(0, len(values), _CHUNK))
