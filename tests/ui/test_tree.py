"""Lineages as lines."""

from __future__ import annotations

from airflow_mlplat.ui import tree


def graph(*edges, **details):
    names = {name for child, parent, _ in edges for name in (child, parent)}
    nodes = {
        name: {
            "kind": name.split(":")[0],
            "name": name,
            "partition": None,
            "detail": details.get(name.split(":")[0], {}),
        }
        for name in names
    }
    return {"root": edges[0][0], "nodes": nodes, "edges": [list(edge) for edge in edges]}


UP = [
    ("model:m", "job:train", "model"),
    ("job:train", "dataset:d", "dataset"),
    ("job:train", "code:c", "code"),
    ("dataset:d", "job:build", "dataset"),
    ("job:build", "code:c", "code"),
]


def shape(made):
    return [(line.depth, line.name, line.repeated) for line in made.lines]


def test_up_goes_from_children_to_parents():
    assert shape(tree.lines(graph(*UP), "up", 100)) == [
        (1, "job:train", False), (2, "code:c", False), (2, "dataset:d", False), (3, "job:build", False),
        (4, "code:c", False),
    ]  # fmt: skip


def test_down_goes_from_parents_to_children():
    edges = [("model:m", "job:train", "model"), ("job:train", "dataset:d", "dataset")]
    upside_down = {**graph(*edges), "root": "dataset:d"}
    assert shape(tree.lines(upside_down, "down", 100)) == [(1, "job:train", False), (2, "model:m", False)]


def test_what_stands_further_up_is_not_told_again():
    edges = [("m:1", "a:1", "x"), ("m:1", "b:1", "y"), ("a:1", "c:1", "z"), ("b:1", "c:1", "z"), ("c:1", "d:1", "w")]
    assert shape(tree.lines(graph(*edges), "up", 100)) == [
        (1, "a:1", False), (2, "c:1", False), (3, "d:1", False), (1, "b:1", False), (2, "c:1", True)
    ]  # fmt: skip


def test_a_circle_ends():
    edges = [("a:1", "b:1", "x"), ("b:1", "a:1", "x")]
    assert shape(tree.lines(graph(*edges), "up", 100)) == [(1, "b:1", False), (2, "a:1", True)]


def test_what_has_no_room_is_counted():
    made = tree.lines(graph(*UP), "up", 2)
    assert len(made.lines) == 2
    assert made.left_out == 2


def test_a_long_chain_is_no_recursion():
    edges = [(f"model:{number}", f"model:{number + 1}", "parent") for number in range(5000)]
    assert tree.lines(graph(*edges), "up", 10_000).lines[-1].depth == 5000


def test_notes_say_who_what_and_which():
    run = {"dag_id": "dag", "run_id": "run", "task_id": "train", "map_index": 1, "partition": "2026-01-31"}
    edges = [("model:m", "job:j", "a"), ("model:m", "decision:d", "b"), ("model:m", "source:s", "c")]
    details = {"job": {"run": run}, "decision": {"outcome": "promoted"}, "source": {"path": "train.csv"}}
    made = tree.lines(graph(*edges, **details), "up", 100)
    assert [line.note for line in made.lines] == ["dag / run / train[1]", "promoted", "train.csv"]


def test_only_artifacts_have_pages():
    made = tree.lines(graph(*UP), "up", 100)
    assert {line.kind: line.digest for line in made.lines} == {"job": None, "code": None, "dataset": "d"}
