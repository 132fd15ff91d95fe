"""Weighted sampling: shares hold in each epoch and block and are exact on average, no sample again before all of its
group, any position alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.mix import BLOCK, Mix, quotas
from airflow_mlplat.errors import DataError, SpecError

weights = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=9)


def sized(*sizes):
    """Groups of so many rows, one after the other."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])


@given(weights=weights, positions=st.integers(0, 5000), key=st.text(max_size=3))
def test_quotas_are_shares_rounded_up_or_down(weights, positions, key):
    found = quotas(weights, positions, key)
    assert found.sum() == positions
    total = sum(map(Fraction, weights))
    for weight, quota in zip(weights, found.tolist()):
        assert abs(quota - Fraction(weight) * positions / total) < 1


def test_quotas_are_shares_on_average():
    found = np.mean([quotas([3, 1, 2, 1.5, 0.5], 3, str(key)) for key in range(4000)], axis=0)
    assert np.abs(found - np.array([9, 3, 6, 4.5, 1.5]) / 8).max() < 0.02


@pytest.mark.parametrize(
    ("weights", "positions", "expected"),
    [([1, 1], 4, [2, 2]), ([0.75, 0.25], 12, [9, 3]), ([1, 2, 1], 8, [2, 4, 2]), ([1e-300, 1e300], 9, [0, 9])],
)
def test_quotas_that_are_whole(weights, positions, expected):
    assert quotas(weights, positions, "any").tolist() == expected


@pytest.mark.parametrize("positions", [1, 40, BLOCK - 1, BLOCK, BLOCK + 400, 3 * BLOCK + 8])
@pytest.mark.parametrize("weights", [[1, 2, 1], [1, 1, 1], [1, 0.001, 5]])
def test_shares_hold_in_every_epoch_and_block(positions, weights):
    groups = sized(10, 990, 3)
    mix = Mix(groups, weights, positions)
    rows, turns = mix.rows(np.arange(positions), 5, 2, "m")
    of = np.searchsorted([10, 1000], rows, "right")
    counts = np.bincount(of, minlength=3)
    assert (np.abs(counts - positions * np.array(weights) / np.sum(weights)) < 1).all()
    assert len(set(zip(rows.tolist(), turns.tolist()))) == positions
    for group, count in zip(groups, counts):  # each of its samples as often as the others
        assert np.ptp(np.bincount(rows, minlength=1003)[group]) <= 1
        assert np.bincount(rows, minlength=1003)[group].sum() == count
    epoch, blocks, first = mix._epoch(5, 2, "m"), -(-positions // BLOCK), 0
    for block in range(blocks):
        share = epoch._before(block + 1) - epoch._before(block)
        assert (np.abs(share - counts / blocks) < 1).all()
        assert abs(share.sum() - positions / blocks) < len(groups)
        assert np.bincount(of[first : first + share.sum()], minlength=3).tolist() == share.tolist()
        first += share.sum()
    assert first == positions


def test_many_equal_groups_are_drawn_equally_often():
    """None is favoured for its place: over 100 blocks of 4096, and over 400 epochs of 150 positions."""
    rows, _ = Mix(sized(*[7] * 1000), [1] * 1000, 100 * BLOCK).rows(np.arange(100 * BLOCK), 0, 0, "m")
    assert set(np.bincount(rows // 7).tolist()) == {409, 410}
    short = Mix(sized(*[7] * 100), [1] * 100, 150)
    rows = np.concatenate([short.rows(np.arange(150), 0, epoch, "m")[0] for epoch in range(400)])
    assert np.abs(np.bincount(rows // 7) - 600).max() < 40


def test_more_groups_than_a_block_has_positions():
    rows, _ = Mix(sized(*[1] * 5000), [1] * 5000, 5000).rows(np.arange(5000), 0, 0, "m")
    assert sorted(rows.tolist()) == list(range(5000))


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
    for positions, golden in ((12, GOLDEN_SHORT), (3 * BLOCK, GOLDEN)):
        mix = Mix([np.arange(3), np.arange(3, 10)], [1, 2], positions)
        rows, turns = mix.rows(np.arange(positions - 12, positions), 7, 1, "ab" * 32)
        assert (rows.tolist(), turns.tolist()) == golden


GOLDEN_SHORT = ([1, 0, 9, 2, 6, 3, 8, 5, 1, 4, 7, 9], [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1])
GOLDEN = (
    [1, 6, 2, 3, 7, 4, 5, 8, 9, 0, 9, 4],
    [1364, 1169, 1364, 1169, 1169, 1169, 1169, 1169, 1169, 1365, 1170, 1170],
)


@pytest.mark.parametrize(
    ("groups", "weights", "error", "message"),
    [
        ([], [], SpecError, r"a mix needs groups, with a weight each; got 0 and 0 weights"),
        ([np.arange(2)], [1, 2], SpecError, r"a mix needs groups, with a weight each; got 1 and 2 weights"),
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
