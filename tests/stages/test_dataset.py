"""The dataset stage: which samples are in, in which order, and when it refuses."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.store import Samples
from tests.stages.conftest import CLASSES

LENIENT = {"max_bad_fraction": 0.5}


def test_samples_are_in_the_order_of_the_spans(store, run, span):
    later, earlier = span(range(3), partition="2026-01-02"), span(range(5, 7), partition="2026-01-01")
    made = run("dataset", inputs={"spans": [earlier, later]})
    samples = Samples(store, made.outputs["dataset"])
    assert samples.keys().tolist() == [b"00005", b"00006", b"00000", b"00001", b"00002"]
    document = store.manifest(made.outputs["dataset"])
    assert [part["partition"] for part in document["spans"]] == ["2026-01-01", "2026-01-02"]
    assert document["parents"] == [earlier.to_json(), later.to_json()]
    assert (document["files"], document["dropped"], made.metrics) == ({}, {}, {"samples": 5, "dropped": {}})
    assert document["label_counts"] == np.bincount(samples.labels, minlength=10).tolist()


def test_undecodable_samples_are_dropped_with_their_reason(store, run, span):
    made = run("dataset", inputs={"spans": [span(range(10), bad=(3, 7))]}, params=LENIENT)
    document = store.manifest(made.outputs["dataset"])
    (part,) = document["spans"]
    drops = json.loads(store.blob(document["files"][part["drops"]]))
    assert drops == [{"key": f"{row:05d}", "reason": "undecodable", "row": row} for row in (3, 7)]
    assert (part["samples"], part["dropped"], document["dropped"]) == (8, 2, {"undecodable": 2})
    assert b"00003" not in set(Samples(store, made.outputs["dataset"]).keys().tolist())
    assert sum(document["label_counts"]) == 8


def test_only_new_spans_are_decoded(run, span):
    first, second = span(range(5), partition="2026-01-01"), span(range(5, 12), partition="2026-01-02")
    assert run("dataset", inputs={"spans": [first]}).stats["decoded"] == 5
    both = run("dataset", inputs={"spans": [first, second]})
    assert both.stats["decoded"] == 7
    again = run("dataset", inputs={"spans": [first, second]})
    assert (again.stats["decoded"], again.outputs) == (0, both.outputs)
    assert run("dataset", inputs={"spans": [first]}, code="other").stats["decoded"] == 5


@pytest.mark.parametrize("params", [LENIENT, {"classes": CLASSES[:6], **LENIENT}], ids=["all", "some classes"])
def test_no_sample_of_a_known_span_is_read_again(store, run, span, params):
    first, second = span(range(9), partition="2026-01-01", bad=[3]), span(range(9, 12), partition="2026-01-02")
    third = span(range(12, 15), partition="2026-01-03")
    run("dataset", inputs={"spans": [first, second]}, params=params)
    whole = run("dataset", inputs={"spans": [first, second, third]}, params=params, code="other")
    for ref in (first, second):
        for shard in store.manifest(ref)["shards"]:
            for pattern in (f"*{shard['sha256']}*", f"*{shard['index_sha256']}*", f"*{shard['keys_sha256']}*"):
                (path,) = (store.backend.root / "shards").glob(pattern)
                path.unlink()
    grown = run("dataset", inputs={"spans": [first, second, third]}, params=params)
    assert (grown.outputs, grown.metrics, grown.stats["decoded"]) == (whole.outputs, whole.metrics, 3)


def test_the_digest_is_golden(run, span):
    """A change here makes other datasets of the same spans, and trains anew on each."""
    spans = [span(range(9), bad=[3], unlabelled=[5]), span(range(9, 30), partition="2026-01-02", classes=CLASSES[:7])]
    made = run("dataset", inputs={"spans": spans}, params={"classes": ["6", "2", "0", "8"], "max_bad_fraction": 1})
    assert made.outputs["dataset"].digest == "934c6bbfbee10802b189146ec06a25d5dc706b94d3add8810510d69aea683149"
    assert made.metrics == {"samples": 16, "dropped": {"undecodable": 1, "unknown label": 13}}


def test_the_first_bad_samples_are_logged(run, span, caplog):
    with pytest.raises(DataError):
        run("dataset", inputs={"spans": [span(range(40), bad=range(5, 35))]})
    told = [record.getMessage() for record in caplog.records if " is bad: " in record.getMessage()]
    assert told == [f"'{row:05d}' of 2026-01-01 is bad: undecodable" for row in range(5, 25)]


def test_too_many_bad_samples_fail(run, span):
    told = "too many bad samples; expected 1.00% at most (max_bad_fraction); got 2 of 10 (20.00%): "
    told += "'00003' of 2026-01-01 (undecodable), '00007' of 2026-01-01 (undecodable). mend them at the source"
    with pytest.raises(DataError, match=re.escape(told)):
        run("dataset", inputs={"spans": [span(range(10), bad=(3, 7))]})


def test_no_usable_sample_fails_whatever_the_limit(run, span):
    with pytest.raises(DataError, match="no usable samples are left; got 1 samples, 1 bad: '00003' of 2026-01-01"):
        run("dataset", inputs={"spans": [span([3], bad=[3])]}, params={"max_bad_fraction": 1})


def test_spans_must_agree_on_their_classes(run, span):
    spans = [span(range(3), partition="2026-01-01"), span(range(3), partition="2026-01-02", classes=CLASSES[::-1])]
    told = "spans of 2026-01-01 and 2026-01-02 have different classes; expected ['0', '1', "
    with pytest.raises(DataError, match=re.escape(told)):
        run("dataset", inputs={"spans": spans})


def test_given_classes_order_the_labels(store, run, span):
    ref = span(range(10))
    made = run("dataset", inputs={"spans": [ref]}, params={"classes": CLASSES[::-1]})
    given, own = Samples(store, made.outputs["dataset"]), Samples(store, ref)
    assert given.labels.tolist() == [9 - label for label in own.labels]
    document = store.manifest(made.outputs["dataset"])
    assert document["label_counts"] == np.bincount(given.labels, minlength=10).tolist()


def test_samples_of_classes_that_are_not_listed_are_dropped(store, run, span):
    made = run("dataset", inputs={"spans": [span(range(20), bad=[2], unlabelled=[5])]},
               params={"classes": ["1", "2"], "max_bad_fraction": 1})  # fmt: skip
    document = store.manifest(made.outputs["dataset"])
    kept = Samples(store, made.outputs["dataset"])
    assert set(kept.labels.tolist()) == {-1, 0, 1}
    assert document["dropped"]["unknown label"] + document["dropped"].get("undecodable", 0) + len(kept) == 20


@pytest.mark.parametrize(
    ("empty", "kind", "told"), [(True, DataError, "no spans to build dataset 'digits' of. bridge a")]
)
def test_no_spans(run, empty, kind, told):
    with pytest.raises(kind, match=told):
        run("dataset", inputs={"spans": []})


def test_inputs_must_be_different_spans(run, span, dataset):
    ref = span(range(3))
    with pytest.raises(SpecError, match="a span is listed twice"):
        run("dataset", inputs={"spans": [ref, ref]})
    with pytest.raises(SpecError, match="a dataset is built of spans; got dataset:digits@"):
        run("dataset", inputs={"spans": [dataset(range(3))]})
