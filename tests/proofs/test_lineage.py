"""From a champion back to everything that made it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.proofs.conftest import Proof

WANTED = ("source", "partition", "span", "dataset", "code", "file", "job", "predictions", "decision")


@pytest.mark.proof("lineage")
def test_lineage(proof: Proof, fashion_home: Callable) -> None:
    fashion = fashion_home("home")
    fashion.backfill(last="2026-01-02")
    shown = fashion.stack.cli("mlplat", "lineage", "fashion@champion", "--output", "json")
    graph = json.loads(shown.stdout)
    kinds = {name.split(":")[0] for name in graph["nodes"]}
    reached = [kind for kind in WANTED if kind in kinds]
    missing = sorted(set(WANTED) - set(reached))
    proof.row(
        len(reached),
        f"of {len(WANTED)} kinds of ancestors reached",
        f"{len(WANTED)}",
        not missing,
        f"missing: {missing}" if missing else ", ".join(reached),
    )
    queries = [node["detail"].get("query", "") for node in graph["nodes"].values() if node["kind"] == "source"]
    proof.row(
        sum("SELECT id, path, label" in query for query in queries),
        "source queries in words",
        ">= 1",
        any("SELECT id, path, label" in query for query in queries),
    )
    files = [node["name"] for node in graph["nodes"].values() if node["kind"] == "file"]
    proof.row(len(files), "build file with its digest", ">= 1", "build.py" in files)
