from __future__ import annotations

import json

import pytest
import yaml


def test_list_datasets(mlplat, world):
    code, out, _ = mlplat("datasets", "list")
    lines = out.splitlines()
    assert code == 0 and lines[0].split(" | ")[0].strip() == "name"
    assert [world.datasets[1].digest[:12] in out, "2026-01-02" in out, world.datasets[1].digest in out] == [
        True,
        True,
        False,
    ]
    _, out, _ = mlplat("datasets", "list", "--output", "json", "--limit", "1")
    (row,) = json.loads(out)
    assert row["digest"] == world.datasets[1].digest and row["samples"] == 4 and row["partition"] == "2026-01-02"
    assert mlplat("datasets", "list", "other")[:2] == (0, "No data found\n")


def test_list_models_tells_the_champion(mlplat, world):
    _, out, _ = mlplat("models", "list", "fashion", "--output", "yaml")
    rows = yaml.safe_load(out)
    assert [(row["digest"], row["alias"]) for row in rows] == [
        (world.models[1].digest, "fashion@champion"),
        (world.models[0].digest, None),
    ]
    assert "numpy" in mlplat("models", "list")[1]


@pytest.mark.parametrize("text", ["fashion", "dataset:fashion", "{}", "fashion@{}"])
def test_show_dataset(mlplat, world, text):
    code, out, _ = mlplat("datasets", "show", text.format(world.datasets[1].digest[:8]), "--output", "json")
    document = json.loads(out)
    assert code == 0 and document["digest"] == world.datasets[1].digest
    assert document["label_counts"] == [2, 2] and document["job"]


def test_what_is_not_in_a_dataset_is_counted_and_listed(mlplat, world):
    from airflow_mlplat.contract import canonical_json
    from airflow_mlplat.store import Sample, SpanWriter

    store, catalog = world.store, world.catalog
    with SpanWriter(store, "bad", "2026-01-03", ["cat", "dog"]) as writer:
        writer.add(Sample("1", b"one", 0))
        writer.add(Sample("2", b"two"))
        writer.add(Sample("3", b"three", 1))
        writer.quarantine("4", "missing media", "'4.png'")
        span = writer.commit()
    drops = store.put_blob(canonical_json([{"row": 2, "key": "3", "reason": "undecodable"}]))
    document = {
        "format": 1, "kind": "dataset", "name": "bad", "classes": ["cat", "dog"], "samples": 2, "label_counts": [1, 0],
        "dropped": {"undecodable": 1}, "files": {"drops.json": drops}, "parents": [span.to_json()],
        "spans": [
            {"partition": "2026-01-03", "digest": span.digest, "samples": 2, "dropped": 1, "drops": "drops.json"}
        ],
    }  # fmt: skip
    world.record("2026-01-03", span, document)
    shown = json.loads(mlplat("datasets", "show", "bad", "--output", "json")[1])
    assert (shown["samples"], shown["unlabelled"], shown["quarantined"]) == (2, 1, {"missing media": 1})
    rows = json.loads(mlplat("datasets", "quarantine", "bad", "--output", "json")[1])
    assert rows == [
        {"partition": "2026-01-03", "key": "4", "reason": "missing media", "detail": "'4.png'", "by": "bridge"},
        {"partition": "2026-01-03", "key": "3", "reason": "undecodable", "detail": "", "by": "dataset"},
    ]
    assert catalog.artifact(span).document["quarantined"] == {"missing media": 1}
    assert mlplat("datasets", "quarantine", "fashion")[1] == "No data found\n"


def test_show_model(mlplat, world):
    code, out, _ = mlplat("models", "show", "fashion@champion")
    assert code == 0
    assert dict(line.split(None, 1) for line in out.splitlines())["digest"] == world.models[1].digest


def test_absent_things_are_the_users_error(mlplat, world):
    code, out, err = mlplat("models", "show", "zebra")
    assert (code, out) == (64, "")
    assert err == "NotFoundError: no model is named 'zebra'. `airflow mlplat models list`.\n"
    code, _, err = mlplat("datasets", "show", "fashion@champion")
    assert code == 64 and "fashion@champion is no dataset; got model:fashion@" in err
    assert "`airflow mlplat models show fashion@champion`" in err
    code, _, err = mlplat("models", "show", f"span:fashion@{world.spans[0].digest}")
    assert code == 64 and "`airflow mlplat lineage span:fashion@" in err


def test_spans_are_listed_and_shown(mlplat, world):
    rows = json.loads(mlplat("datasets", "list", "fashion", "--spans", "-o", "json")[1])
    assert [(row["digest"], row["samples"], row["quarantined"]) for row in rows] == [
        (span.digest, 4, 0) for span in reversed(world.spans)
    ]
    shown = json.loads(mlplat("datasets", "show", f"span:fashion@{world.spans[0].digest}", "-o", "json")[1])
    assert (shown["kind"], shown["digest"], shown["quarantined"]) == ("span", world.spans[0].digest, {})


def test_where_nothing_is_built_yet_spans_are_pointed_to(mlplat, world):
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.store import Sample, SpanWriter

    with SpanWriter(world.store, "taken", "2026-01-03", ["cat"]) as writer:
        writer.add(Sample("1", b"one", 0))
        span = writer.commit()
    run = RunInfo("dag", "run", "task", -1, "2026-01-03")
    facts = {"watermark": None, "fingerprint": None, "source": {}, "run": run}
    world.catalog.commit_span(span, "2026-01-03", world.store.manifest(span), **facts)
    told = "No dataset is built yet; --spans lists the spans that there are.\n"
    assert mlplat("datasets", "list", "taken") == (0, "No data found\n", told)
    assert mlplat("datasets", "list", "other")[2] == ""
