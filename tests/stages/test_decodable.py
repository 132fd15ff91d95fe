"""Finding what does not decode, once."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.stages.decodable import find
from airflow_mlplat.store import Samples


def test_rows_are_found_in_order_over_many_chunks(store, span):
    bad = (0, 255, 256, 700)
    found = find(Samples(store, span(range(701), bad=bad)))
    assert [drop["row"] for drop in found] == list(bad)
    assert found[1] == {"row": 255, "key": "00255", "reason": "undecodable"}


def test_what_was_found_is_a_result_in_the_store(store, run, span, tmp_path):
    run("dataset", inputs={"spans": [span(range(5))]})
    (result,) = (tmp_path / "store/results").iterdir()
    assert store.result(result.stem).metrics == {"drops": [], "samples": 5}


def test_damage_of_the_store_is_not_the_samples_fault(run, span, tmp_path):
    ref = span(range(5))
    (shard,) = (tmp_path / "store/shards").glob("shard-*.tar")
    content = bytearray(shard.read_bytes())
    content[700] ^= 1
    shard.write_bytes(bytes(content))
    with pytest.raises(CorruptionError, match="sample '00000' in shards/shard-"):
        run("dataset", inputs={"spans": [ref]})
