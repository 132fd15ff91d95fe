"""The windowed order: each row once, few shards at a time, any position in O(1)."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.window import WindowedOrder

sizes = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(sum)


@given(sizes=sizes, window=st.integers(1, 14), seed=st.integers(-3, 2**70), epoch=st.integers(0, 5))
def test_each_row_once_and_any_part_alone(sizes, window, seed, epoch):
    ends = np.cumsum(sizes)
    n = int(ends[-1])
    order = WindowedOrder(ends, window, seed, epoch, "m")
    rows = order.rows(np.arange(n))
    assert sorted(rows.tolist()) == list(range(n))
    for start in range(0, n, 7):
        assert order.rows(np.arange(start, min(start + 5, n))).tolist() == rows[start : start + 5].tolist()


@given(sizes=sizes, window=st.integers(1, 14))
def test_at_most_a_window_of_shards_at_a_time(sizes, window):
    ends = np.cumsum(sizes)
    order = WindowedOrder(ends, window, 1, 0, "m")
    shard_of = np.searchsorted(ends, order.rows(np.arange(ends[-1])), side="right")
    place = np.argsort(order.shards)  # of each shard, when it is needed
    windows = place[shard_of] // window
    assert (np.diff(windows) >= 0).all()
    assert (order.shards_at(np.arange(ends[-1])) // window == windows).all()


def test_seed_epoch_and_manifest_count():
    ends = np.arange(1, 11) * 50

    def rows(seed, epoch, manifest):
        return WindowedOrder(ends, 3, seed, epoch, manifest).rows(np.arange(500)).tolist()

    others = [rows(*key) for key in ((0, 0, "a"), (1, 0, "a"), (0, 1, "a"), (0, 0, "b"))]
    assert len({tuple(found) for found in others}) == 4


def test_samples_of_a_window_are_well_mixed():
    """Neighbours come from the same of four equal shards about one time in four."""
    order = WindowedOrder(np.arange(1, 5) * 5000, 4, 0, 0, "m")
    shards = order.rows(np.arange(20_000)) // 5000
    same = (shards[1:] == shards[:-1]).mean()
    assert 0.23 < same < 0.27


def test_golden():
    """Equal for ever, on every version of numpy."""
    found = WindowedOrder(np.array([3, 5, 9, 10]), 2, 7, 1, "ab" * 32)
    assert (found.shards.tolist(), found.rows(np.arange(10)).tolist()) == GOLDEN


GOLDEN = ([2, 1, 3, 0], [5, 7, 3, 4, 8, 6, 1, 2, 9, 0])
