"""Where rows lie: read one by one at first, then mapped; both the same."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.contract import digest
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import layout, npy_bytes
from airflow_mlplat.store.index import INDEX_DTYPE
from airflow_mlplat.store.shard_index import ShardIndex, label_table, open_index
from airflow_mlplat.store.sidecars import Sidecars

RECORDS = np.zeros(10_000, INDEX_DTYPE)
RECORDS["offset"] = np.arange(10_000) + (1 << 40)
RECORDS["size"] = (1 << 32) - 1 - np.arange(10_000)
RECORDS["crc32c"] = np.arange(10_000) * 7
RECORDS["label"] = np.arange(10_000) % 3 - 1


def index(store, gaps=None, table=None, records=RECORDS, start=100) -> ShardIndex:
    content = npy_bytes(records)
    store.backend.put_if_absent(layout.index_path(digest(content)), content)
    shard = {"sha256": "a" * 64, "index_sha256": digest(content), "samples": len(records)}
    return open_index(Sidecars(store), shard, start, gaps, table)


def test_a_row_before_and_after_it_is_mapped(store):
    found = index(store)
    for looks in range(8):
        assert (found.buffer is None) == (looks <= 3)  # 240 kB are three pieces
        assert found.entry(100 + 9_000 + looks) == (
            (1 << 40) + 9_000 + looks,
            (1 << 32) - 9_001 - looks,
            7 * (9_000 + looks),
        )


def test_where_nothing_can_be_mapped(store, monkeypatch):
    monkeypatch.setattr(type(store.backend), "local_path", lambda self, path: None)
    found = index(store)
    assert (found.label(101), found.buffer is None) == (0, False)


@pytest.mark.parametrize("table", [None, np.array([5, -1, -1])])
def test_labels_of_rows_less_the_dropped(store, table):
    dropped = np.array([0, 1, 5, 9_999])
    found = index(store, gaps=dropped - np.arange(4), table=table)
    left = np.delete(RECORDS["label"], dropped)
    expected = left if table is None else np.where(left == 0, 5, -1)
    rows = 100 + np.array([0, 1, 2, 3, 4, 9_000, 9_995])
    assert found.labels(rows).tolist() == [found.label(row) for row in rows.tolist()] == expected[rows - 100].tolist()
    assert found.place(100) == 2
    assert found.entry(100)[0] == (1 << 40) + 2


def test_not_an_index(store):
    with pytest.raises(CorruptionError, match=r"index of shard a{64}; expected \[\('offset', '<u8'\)"):
        index(store, records=np.zeros(5, [("offset", "<u8")]))


def test_labels_are_matched_by_name():
    assert label_table(["a", "b"], ["a", "b"]) is None
    assert label_table(["a", "b", "c"], ["c", "a"]).tolist() == [1, -1, 0, -1]
