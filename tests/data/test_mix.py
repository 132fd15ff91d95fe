"""Weighted sampling: exact shares in each block, no sample again before all of its group, any position alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.mix import BLOCK, Mix, quotas
from airflow_mlplat.errors import DataError, SpecError

weights = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9)


@given(weights=weights, positions=st.integers(0, 5000))
def test_quotas(weights, positions):
    found = quotas(weights, positions)
    exact = np.array(weights) / np.sum(weights) * positions
    assert found.sum() == positions
    assert found.min() >= (positions >= len(weights))
    assert (np.abs(found - exact) <= len(weights)).all()


@pytest.mark.parametrize(
    ("weights", "positions", "expected"),
    [
        ([1, 1], 4, [2, 2]),
        ([1, 1, 1], 4, [2, 1, 1]),
        ([0.9, 0.1], 10, [9, 1]),
        ([1, 2, 1], 8, [2, 4, 2]),
        ([1000, 1, 1], 6, [4, 1, 1]),
        ([1000, 1, 1], 2, [1, 1, 0]),
        ([1, 1, 3], 1, [0, 0, 1]),
        ([1, 2], 0, [0, 0]),
    ],
)
def test_quotas_table(weights, positions, expected):
    assert quotas(weights, positions).tolist() == expected


def test_shares_are_exact_in_every_block():
    groups = [np.arange(0, 10), np.arange(10, 1000), np.arange(1000, 1003)]
    mix = Mix(groups, [1, 2, 1], 3 * BLOCK)
    rows, turns = mix.rows(np.arange(3 * BLOCK), 5, 2, "m")
    for block in rows.reshape(3, BLOCK):
        counts = [np.isin(block, group).sum() for group in groups]
        assert counts == [BLOCK // 4, BLOCK // 2, BLOCK // 4]
    for turn in range(3):  # of the middle group: all of it before any comes again
        assert sorted(rows[(turns == turn) & (rows >= 10) & (rows < 1000)].tolist()) == list(range(10, 1000))
    few = rows[rows < 10]
    assert (np.bincount(few).max() - np.bincount(few).min()) <= 1


@pytest.mark.parametrize("positions", [1, 40, BLOCK - 1, BLOCK, BLOCK + 400, 3 * BLOCK + 8])
def test_shares_are_exact_in_every_epoch(positions):
    groups = [np.arange(0, 10), np.arange(10, 1000), np.arange(1000, 1003)]
    rows, turns = Mix(groups, [1, 2, 1], positions).rows(np.arange(positions), 5, 2, "m")
    counts = np.array([np.isin(rows, group).sum() for group in groups])
    assert (np.abs(counts - positions * np.array([0.25, 0.5, 0.25])) <= 0.5).all()
    assert len(set(zip(rows.tolist(), turns.tolist()))) == positions
    for group in groups:  # each of its samples as often as the others
        assert np.ptp(np.bincount(rows, minlength=1003)[group]) <= 1


def test_no_sample_again_before_all_of_its_group():
    rows, turns = Mix([np.arange(7), np.arange(7, 400)], [3, 1], 1000).rows(np.arange(1000), 0, 0, "m")
    few = rows[rows < 7]
    for start in range(0, len(few) - 7, 7):
        assert sorted(few[start : start + 7].tolist()) == list(range(7))
    assert turns[rows < 7].tolist() == [i // 7 for i in range(len(few))]


def test_turns_count_what_came_before():
    mix = Mix([np.arange(3), np.arange(3, 90)], [1, 1], 2000)
    rows, turns = mix.rows(np.arange(2000), 0, 0, "m")
    pairs = set(zip(rows.tolist(), turns.tolist()))
    assert len(pairs) == 2000  # no (row, turn) twice: augmentation never repeats itself


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    start=st.integers(0, 3 * BLOCK),
    count=st.integers(0, 50),
    epoch=st.integers(0, 3),
)
def test_any_position_alone(sizes, start, count, epoch):
    ends = np.cumsum([0, *sizes])
    size = start + count + 1  # so that the last block is a short one
    mix = Mix([np.arange(a, b) for a, b in zip(ends, ends[1:])], list(range(1, len(sizes) + 1)), size)
    rows, turns = mix.rows(np.arange(start, start + count), 1, epoch, "m")
    for i in range(0, count, 7):
        row, turn = mix.rows(np.array([start + i]), 1, epoch, "m")
        assert (row[0], turn[0]) == (rows[i], turns[i])


def test_epochs_and_seeds_differ():
    mix = Mix([np.arange(50), np.arange(50, 60)], [1, 1], 100)
    found = [mix.rows(np.arange(100), seed, epoch, "m")[0].tolist() for seed, epoch in ((0, 0), (1, 0), (0, 1))]
    assert found[0] != found[1] != found[2] != found[0]


def test_golden():
    """Equal for ever, on every version of numpy."""
    for positions, golden in ((12, GOLDEN_SHORT), (BLOCK, GOLDEN)):
        mix = Mix([np.arange(3), np.arange(3, 10)], [1, 2], positions)
        rows, turns = mix.rows(np.arange(12), 7, 1, "ab" * 32)
        assert (rows.tolist(), turns.tolist()) == golden


GOLDEN_SHORT = ([1, 0, 9, 2, 6, 3, 8, 5, 1, 4, 7, 9], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1])
GOLDEN = ([1, 9, 0, 2, 6, 3, 8, 5, 4, 7, 9, 5], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])


@pytest.mark.parametrize(
    ("groups", "weights", "error", "message"),
    [
        (
            [],
            [],
            SpecError,
            r"too many or too few groups .*; expected 1 … 4096 groups, with a weight each; got 0 and 0 weights",
        ),
        ([np.arange(2)], [1, 2], SpecError, r"too many or too few groups to draw from.*; got 1 and 2 weights"),
        ([np.arange(2)], [0], SpecError, r"weights must be positive numbers; got \[0\]"),
        ([np.arange(2)], [float("nan")], SpecError, r"weights must be positive numbers"),
        (
            [np.arange(2), np.arange(0)],
            [1, 1],
            DataError,
            r"group 1 of a mix has no samples; expected 1 or more; got 0",
        ),
    ],
)
def test_refuses(groups, weights, error, message):
    with pytest.raises(error, match=message):
        Mix(groups, weights, 10)
