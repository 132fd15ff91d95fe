from __future__ import annotations

import pytest

from airflow_mlplat.contract import Ref, canonical_json
from airflow_mlplat.errors import NotFoundError
from airflow_mlplat.store import Sample, SpanWriter
from airflow_mlplat.store.left_out import left_out


def test_every_record_with_its_reason_day_by_day(store):
    spans, drops = [], store.put_blob(canonical_json([{"row": 1, "key": "b", "reason": "undecodable"}]))
    for day, bad in (("2026-01-01", []), ("2026-01-02", [("x", "no label", "'?'"), ("y", "missing media", "y.png")])):
        with SpanWriter(store, "photos", day, ["cat"]) as writer:
            for key in "ab":
                writer.add(Sample(key, b"media", 0))
            for row in bad:
                writer.quarantine(*row)
            spans.append(writer.commit())
    parts = [
        {"partition": "2026-01-01", "digest": spans[0].digest, "samples": 1, "dropped": 1, "drops": "drops.json"},
        {"partition": "2026-01-02", "digest": spans[1].digest, "samples": 2, "dropped": 0, "drops": None},
    ]
    document = {"format": 1, "kind": "dataset", "name": "photos", "classes": ["cat"], "samples": 3, "spans": parts}
    dataset = store.put_manifest(
        {**document, "files": {"drops.json": drops}, "parents": [span.to_json() for span in spans]}
    )
    assert [tuple(row.values()) for row in left_out(store, dataset)] == [
        ("2026-01-01", "b", "undecodable", "", "dataset"),
        ("2026-01-02", "x", "no label", "'?'", "bridge"),
        ("2026-01-02", "y", "missing media", "y.png", "bridge"),
    ]
    assert [row["key"] for row in left_out(store, spans[1])] == ["x", "y"] and not list(left_out(store, spans[0]))


def test_a_dataset_that_is_not_there(store):
    with pytest.raises(NotFoundError, match="dataset:photos@000000000000 is not in the store"):
        list(left_out(store, Ref("dataset", "photos", "0" * 64)))
