"""Finding what does not decode, once."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from airflow_mlplat.contract import JobResult, digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.stages.decodable import count_labels, find
from airflow_mlplat.store import Samples
from tests.stages.conftest import CLASSES

LOG = logging.getLogger("job")


def test_rows_are_found_in_order_over_many_chunks(store, span):
    bad = (0, 255, 256, 700)
    found = find(Samples(store, span(range(701), bad=bad)), LOG)
    assert [drop["row"] for drop in found] == list(bad)
    assert found[1] == {"row": 255, "key": "00255", "reason": "undecodable"}


def test_what_is_wrong_with_the_first_is_logged(store, span, caplog):
    ref = span(range(40), bad=range(5, 30))
    assert len(find(Samples(store, ref), LOG)) == 25
    assert len(caplog.messages) == 20
    assert caplog.messages[0].startswith(f"'00005' of {ref} does not decode: media does not decode; got ")


def test_what_was_found_is_a_result_in_the_store(store, run, span, tmp_path):
    ref = span(range(5), bad=[1], unlabelled=[2])
    run("dataset", inputs={"spans": [ref]}, params={"max_bad_fraction": 0.5})
    (result,) = (tmp_path / "store/results").iterdir()
    labels = [label for row, label in enumerate(Samples(store, ref).labels.tolist()) if row not in (1, 2)]
    assert store.result(result.stem).metrics == {
        "samples": 5,
        "drops": [{"row": 1, "key": "00001", "reason": "undecodable"}],
        "label_counts": {name: labels.count(int(name)) for name in CLASSES},
        "unlabelled": 1,
    }


def test_a_result_of_an_older_version_is_found_out_again(store, run, span):
    ref = span(range(5))
    key = digest({"stage": "dataset/decode", "span": ref.digest, "code": "c", "image": "i"})
    store.put_result(JobResult(key, "dataset/decode", metrics={"drops": [], "samples": 5}))
    assert run("dataset", inputs={"spans": [ref]}).stats["decoded"] == 5


def test_labels_that_name_no_class_are_not_counted():
    class Odd:
        classes, labels = ["a", "b"], np.array([0, 1, 1, -1, 2, -1])

    assert count_labels(Odd(), [2, 5]) == {"label_counts": {"a": 1, "b": 1}, "unlabelled": 1}


def test_damage_of_the_store_is_not_the_samples_fault(run, span, tmp_path):
    ref = span(range(5))
    (shard,) = (tmp_path / "store/shards").glob("shard-*.tar")
    content = bytearray(shard.read_bytes())
    content[700] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(CorruptionError, match="sample '00000' in shards/shard-"):
        run("dataset", inputs={"spans": [ref]})
