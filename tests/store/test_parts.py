"""What manifests say of samples, and which rows are left of each shard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.contract import canonical_json
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import open_store
from airflow_mlplat.store.parts import PARTS, Part, shard_rows


def part(store, sizes, dropped):
    """A part of shards of these sizes, with a list of dropped rows."""
    rows = [{"row": row, "key": "?", "reason": "undecodable"} for row in dropped]
    drops = store.put_blob(canonical_json(rows)) if rows else None
    return Part("2026-01-01", ["cat"], [{"samples": size} for size in sizes], sum(sizes) - len(rows), drops)


def test_parts_of_a_span(store, span):
    (found,) = PARTS["span"](store, span, store.manifest(span))
    assert (found.partition, found.classes, found.samples, found.drops) == ("2026-01-01", ["cat", "dog"], 20, None)
    assert found.dropped(store).tolist() == []


@settings(max_examples=60)
@given(described=st.lists(st.tuples(st.lists(st.integers(1, 6), max_size=4), st.sets(st.integers(0, 23))), max_size=3))
def test_rows_left_of_each_shard(described, tmp_path_factory):
    store = open_store(tmp_path_factory.getbasetemp() / "parts")
    parts = [part(store, sizes, sorted(row for row in drops if row < sum(sizes))) for sizes, drops in described]
    ends, gaps = shard_rows(store, parts)
    number = end = 0
    for sizes, drops in described:
        first = 0
        for size in sizes:
            left = [row for row in range(size) if first + row not in drops]
            end += len(left)
            assert ends[number] == end
            own = gaps.get(number, np.empty(0, np.int64))
            assert [k + int((own <= k).sum()) for k in range(len(left))] == left
            assert (number in gaps) == (len(left) < size)
            first, number = first + size, number + 1
    assert (len(ends), ends.dtype) == (number, np.int64)


@pytest.mark.parametrize("rows", [[-1, 0], [0, 5]])
def test_dropped_rows_are_rows_of_the_span(store, rows):
    with pytest.raises(CorruptionError, match=f"drops rows that its span of .* has not; .* got {rows[0]} … {rows[1]}"):
        part(store, [2, 3], rows).dropped(store)
