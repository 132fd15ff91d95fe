"""Rows of samples are what the stages' subset of them is."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data.shared.rows import Rows
from airflow_mlplat.stages.subset import Subset


class Hinted:
    def will_read(self, shards):
        self.shards = shards


def test_rows_are_a_subset(samples):
    chosen = np.array([0, 3, 50, 51, 120, 199])
    rows, subset = Rows(samples, chosen), Subset(samples, chosen)
    assert (rows.ref, rows.classes, len(rows)) == (subset.ref, subset.classes, 6)
    assert rows.shard_ends.tolist() == subset.shard_ends.tolist()
    assert rows.span_ends.tolist() == subset.span_ends.tolist() == [6]
    assert [rows.key(i) for i in range(6)] == [subset.key(i) for i in range(6)]
    assert [rows.media(i) for i in range(6)] == [subset.media(i) for i in range(6)]
    assert rows.labels_at(np.array([5, 0])).tolist() == subset.labels_at(np.array([5, 0])).tolist()


def test_hints_are_handed_on():
    hinted = Hinted()
    Rows(hinted, np.arange(3)).will_read(np.array([1]))
    assert hinted.shards.tolist() == [1]
