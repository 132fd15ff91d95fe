"""Which rank gets which rows: the ranks together give one order, whatever their number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.data import IteratorOptions, permute
from airflow_mlplat.data import plan as plan_module
from airflow_mlplat.data.orders import order_of
from airflow_mlplat.data.plan import next_epoch, rounds
from tests.data.conftest import MANIFEST, Memory


def of_rank(n, rank, ranks, size, position=0, **more):
    options = IteratorOptions(batch_size=size, shard_index=rank, shard_count=ranks, **more)
    order = order_of(Memory([b""] * n, None), options)
    return [(found.position, found.rows.tolist()) for found in rounds(n, order, options, 0, position)]


def together(n, ranks, size, **more):
    """The rows of all ranks, dealt back into one order."""
    found = []
    for batches in zip(*(of_rank(n, rank, ranks, size, **more) for rank in range(ranks))):
        rows = [rows for _, rows in batches]
        found += [rows[i % ranks][i // ranks] for i in range(sum(map(len, rows)))]
    return found


@pytest.mark.parametrize(
    ("n", "ranks", "size", "drop", "expected"),
    [
        (7, 1, 3, False, [[(3, [0, 1, 2]), (6, [3, 4, 5]), (7, [6])]]),
        (7, 1, 3, True, [[(3, [0, 1, 2]), (6, [3, 4, 5])]]),
        (6, 1, 3, True, [[(3, [0, 1, 2]), (6, [3, 4, 5])]]),
        # Of the last three positions each rank gets its turn.
        (7, 2, 2, False, [[(4, [0, 2]), (7, [4, 6])], [(4, [1, 3]), (7, [5])]]),
        (7, 2, 2, True, [[(4, [0, 2])], [(4, [1, 3])]]),
        # Fewer positions than ranks: equally many batches, some of them empty.
        (4, 3, 1, False, [[(3, [0]), (4, [3])], [(3, [1]), (4, [])], [(3, [2]), (4, [])]]),
        (2, 1, 3, True, [[]]),
    ],
)
def test_table(n, ranks, size, drop, expected):
    found = [of_rank(n, rank, ranks, size, shuffle=False, drop_remainder=drop) for rank in range(ranks)]
    assert found == expected


@pytest.mark.parametrize("ranks", range(1, 9))
@pytest.mark.parametrize(("n", "size"), [(100, 7), (64, 8), (5, 2), (1, 4)])
def test_ranks_together_follow_the_global_order(n, size, ranks):
    assert together(n, ranks, size) == permute(np.arange(n), n, 0, 0, MANIFEST).tolist()


@settings(max_examples=60)
@given(n=st.integers(1, 400), ranks=st.integers(1, 8), size=st.integers(1, 40), drop=st.booleans())
def test_ranks_get_equally_many_batches(n, ranks, size, drop):
    found = [of_rank(n, rank, ranks, size, drop_remainder=drop) for rank in range(ranks)]
    positions = [[position for position, _ in batches] for batches in found]
    assert all(other == positions[0] for other in positions)
    counts = np.array([[len(rows) for _, rows in batches] for batches in found])
    assert (counts[:, :-1] == size).all()
    assert np.ptp(counts, axis=0).max(initial=0) <= 1
    assert counts.sum() == (n - n % (ranks * size) if drop else n)


def test_chunks_do_not_show(monkeypatch):
    whole = of_rank(1000, 1, 3, 8)
    for chunk in (1, 8, 24, 100):
        monkeypatch.setattr(plan_module, "CHUNK", chunk)
        assert of_rank(1000, 1, 3, 8) == whole


def test_any_position_gives_the_tail():
    whole = of_rank(50, 0, 1, 1)
    for position in range(51):
        assert of_rank(50, 0, 1, 1, position=position) == whole[position:]


@pytest.mark.parametrize(
    ("drop", "position", "expected"),
    [(False, 0, (2, 0)), (False, 9, (2, 9)), (False, 10, (3, 0)), (True, 4, (2, 4)), (True, 8, (3, 0))],
)
def test_next_epoch(drop, position, expected):
    assert next_epoch(10, IteratorOptions(batch_size=4, drop_remainder=drop), 2, position) == expected
