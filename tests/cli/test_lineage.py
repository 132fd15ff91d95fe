from __future__ import annotations

import json

from airflow_mlplat.cli.lineage import tree


def test_as_a_tree(mlplat, world):
    code, out, _ = mlplat("lineage", f"dataset:{world.datasets[0].digest}")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == f"dataset fashion {world.datasets[0].digest[:12]} 2026-01-01"
    assert any(line.startswith("    <- span fashion ") and line.endswith("[spans]") for line in lines)
    assert any(line.endswith("2026-01-01 SELECT * FROM photos") for line in lines)  # on one line
    assert "      <- partition 2026-01-01" in lines


def test_down(mlplat, world):
    _, out, _ = mlplat("lineage", "partition:2026-01-01", "--direction", "down")
    lines = out.splitlines()
    assert lines[0] == "partition 2026-01-01" and lines[1].startswith("  -> span fashion")
    assert any("-> dataset fashion" in line for line in lines)
    both = mlplat("lineage", f"span:{world.spans[0].digest}", "--direction", "both")[1]
    assert "<- source" in both and "-> dataset" in both


def test_as_json(mlplat, world):
    graph = json.loads(mlplat("lineage", "fashion@champion", "--output", "json")[1])
    assert graph["root"].startswith("decision:") and graph["root"] in graph["nodes"]
    assert [graph["root"], f"model:{world.models[1].digest}", "challenger"] in graph["edges"]


def test_shared_ancestors_are_shown_once():
    nodes = {
        name: {"name": name[0], "partition": None, "detail": {}, "kind": "job"} for name in ("a:1", "b:1", "c:1", "d:1")
    }
    edges = [["a:1", "b:1", "x"], ["a:1", "c:1", "x"], ["b:1", "d:1", "x"], ["c:1", "b:1", "x"]]
    lines = list(tree({"root": "a:1", "nodes": nodes, "edges": edges}, "up"))
    assert lines == ["a a 1", "  <- b b 1 [x]", "    <- d d 1 [x]", "  <- c c 1 [x]", "    <- b b 1 [x] (above)"]


def test_unknown(mlplat, world):
    code, _, err = mlplat("lineage", "job:none")
    assert code == 64 and "nothing is known about job:none" in err
