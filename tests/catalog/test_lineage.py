from __future__ import annotations

import pytest

from airflow_mlplat.errors import NotFoundError, SpecError

BUILD = "ab" * 32


@pytest.fixture
def chain(make):
    """Two spans, a dataset of them, a model of it that becomes champion."""
    spans = [make.span(partition=f"2026-01-0{day}").ref for day in (1, 2)]
    build, dataset = make.job("dataset", "dataset", "fashion", "2026-01-02", inputs={"spans": spans}, samples=5)
    train, model = make.job(
        "train", "model", "fashion", "2026-01-02", inputs={"dataset": [dataset]}, files={"build.py": BUILD}
    )
    ref, document = make.thing("decision", "fashion")
    decision = make.promote(model.digest, None, "2026-01-02", ref=ref, document=document)
    return {"spans": spans, "build": build, "dataset": dataset, "train": train, "model": model, "decision": decision}


def test_up_to_the_sources(catalog, chain):
    model, dataset, train, build = (chain[name] for name in ("model", "dataset", "train", "build"))
    graph = catalog.lineage(model)
    assert graph["root"] == f"model:{model.digest}"
    edges = {tuple(edge) for edge in graph["edges"]}
    assert {
        (f"model:{model.digest}", f"job:{train.key}", "model"),
        (f"job:{train.key}", f"dataset:{dataset.digest}", "dataset"),
        (f"job:{train.key}", f"file:{BUILD}", "build.py"),
        (f"job:{train.key}", "code:c0de", "code"),
        (f"dataset:{dataset.digest}", f"job:{build.key}", "dataset"),
        *((f"job:{build.key}", f"span:{span.digest}", "spans") for span in chain["spans"]),
        *((f"span:{span.digest}", f"partition:2026-01-0{n}", "partition") for n, span in enumerate(chain["spans"], 1)),
    } <= edges
    assert graph["edges"] == sorted(graph["edges"]) and len(edges) == 12
    assert not any(name.startswith("decision:") for name in graph["nodes"])
    assert set(graph["nodes"]) == {end for edge in edges for end in edge[:2]}


def test_details(catalog, chain):
    nodes = catalog.lineage(chain["model"], "both")["nodes"]
    by_kind = {}
    for node in nodes.values():
        by_kind.setdefault(node["kind"], []).append(node)
    assert [node["detail"]["query"] for node in by_kind["source"]] == [
        "SELECT * FROM photos WHERE day = :partition"
    ] * 2
    assert sorted(node["partition"] for node in by_kind["source"]) == ["2026-01-01", "2026-01-02"]
    (dataset,), (model,), (decision,), (file,) = (by_kind[kind] for kind in ("dataset", "model", "decision", "file"))
    assert dataset["name"] == model["name"] == "fashion" and dataset["detail"]["samples"] == 5
    assert model["detail"]["job_key"] == chain["train"].key and model["partition"] == "2026-01-02"
    assert decision["detail"]["outcome"] == "promoted" and decision["detail"]["reason"] == "better"
    assert file["name"] == "build.py"
    assert {node["name"] for node in by_kind["job"]} == {"dataset fashion", "train fashion"}
    job = nodes[f"job:{chain['train'].key}"]["detail"]
    assert job["metrics"] == {"accuracy": 0.5} and job["run"]["run_id"] == "run-2026-01-02"
    assert {node["name"] for node in by_kind["partition"]} == {"2026-01-01", "2026-01-02"}


def test_down_to_the_decision(catalog, chain):
    span = chain["spans"][0]
    expected = {
        f"span:{span.digest}", f"job:{chain['build'].key}", f"dataset:{chain['dataset'].digest}",
        f"job:{chain['train'].key}", f"model:{chain['model'].digest}", chain["decision"].node,
    }  # fmt: skip
    assert set(catalog.lineage(span, "down")["nodes"]) == expected
    from_partition = set(catalog.lineage("partition:2026-01-01", "down")["nodes"])
    assert from_partition == expected | {"partition:2026-01-01"}
    assert set(catalog.lineage(f"file:{BUILD}", "down")["nodes"]) == {
        f"file:{BUILD}", f"job:{chain['train'].key}", f"model:{chain['model'].digest}", chain["decision"].node
    }  # fmt: skip


def test_descendants_of_a_restated_span_can_be_listed(catalog, chain, make):
    new = make.span(partition="2026-01-01", version=2)
    old = catalog.lineage(f"span:{new.restates}", "down")
    assert f"model:{chain['model'].digest}" in old["nodes"]
    assert catalog.lineage(new.ref, "down")["nodes"].keys() == {f"span:{new.ref.digest}"}


def test_both_is_not_the_whole_family(catalog, chain, make):
    make.job("train", "model", "sister", "2026-01-02", inputs={"dataset": [chain["dataset"]]}, version=2)
    graph = catalog.lineage("fashion@champion", "both")
    assert "sister" not in {node["name"] for node in graph["nodes"].values()}
    assert {chain["decision"].node, f"span:{chain['spans'][0].digest}"} <= set(graph["nodes"])


def test_wide_graphs(catalog, make):
    spans = [make.thing("span", "wide", number=number)[0] for number in range(1200)]
    _, dataset = make.job("dataset", "dataset", "wide", inputs={"spans": spans})
    assert len(catalog.lineage(dataset)["edges"]) == 1202


def test_newest_decision_on_one_manifest_is_shown(catalog, make):
    model, (ref, _) = make.model(1).digest, make.thing("decision", "fashion")
    make.promote(model, outcome="recommended", ref=ref)
    make.promote(model, ref=ref, challengers=0)
    nodes = catalog.lineage(f"model:{model}", "down")["nodes"]
    assert nodes[f"decision:{ref.digest}"]["detail"]["outcome"] == "promoted"


def test_unknown_roots_and_directions(catalog, make):
    with pytest.raises(NotFoundError, match="nothing is known about job:nothing"):
        catalog.lineage("job:nothing")
    with pytest.raises(NotFoundError, match="nothing is known about model:0000"):
        catalog.lineage("model:" + "0" * 64)
    with pytest.raises(SpecError, match=r"unknown direction of a lineage; expected up \| down \| both; got 'sideways'"):
        catalog.lineage(make.model(1), "sideways")


def test_a_node_is_found_by_the_beginning_of_its_name(catalog, make):
    spec, model = make.job("train", "model", "fashion", files={"build.py": "ab" * 32}, number=1)
    make.job("train", "model", "other", files={"build.py": "ac" * 32}, number=2)
    for text, node in ((f"job:{spec.key[:12]}", f"job:{spec.key}"), ("file:abab", f"file:{'ab' * 32}")):
        assert catalog.lineage(text, "down")["root"] == node
        assert f"model:{model.digest}" in catalog.lineage(text, "down")["nodes"]
    with pytest.raises(NotFoundError, match=r"'file:a' names several things; got file:aba.*, file:aca.*give more"):
        catalog.lineage("file:a")
    with pytest.raises(NotFoundError, match="nothing is known about file:ff"):
        catalog.lineage("file:ff")
