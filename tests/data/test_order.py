"""The order is a bijection, depends on all it should, and is the same for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlplat.data import permute
from airflow_mlplat.data.order import half_bits, permute_each, round_keys
from airflow_mlplat.errors import SpecError

MANIFEST = "ab" * 32


def whole(n, seed=0, epoch=0, manifest=MANIFEST):
    return permute(np.arange(n), n, seed, epoch, manifest)


@settings(max_examples=60)
@given(n=st.integers(1, 5000), seed=st.integers(-(2**70), 2**70), epoch=st.integers(0, 10**6))
def test_is_a_bijection(n, seed, epoch):
    rows = whole(n, seed, epoch)
    assert rows.dtype == np.int64
    assert np.array_equal(np.sort(rows), np.arange(n))


@pytest.mark.parametrize("n", [*range(1, 70), 4095, 4096, 4097, 65535, 65536, 65537, 262_144, 1_000_003])
def test_is_a_bijection_at_the_edges(n):
    assert np.array_equal(np.sort(whole(n)), np.arange(n))


@settings(max_examples=60)
@given(n=st.integers(5001, 2**62), data=st.data())
def test_stays_within_large_sets(n, data):
    positions = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=50, unique=True))
    rows = permute(np.array(positions), n, 1, 2, MANIFEST)
    assert 0 <= rows.min() <= rows.max() < n
    assert len(set(rows.tolist())) == len(positions)


@settings(max_examples=30)
@given(n=st.integers(1, 3000), data=st.data())
def test_a_position_does_not_depend_on_those_asked_for_with_it(n, data):
    positions = np.array(data.draw(st.lists(st.integers(0, n - 1), max_size=40)), np.int64)
    assert np.array_equal(permute(positions, n, 5, 6, MANIFEST), whole(n, 5, 6)[positions])


def test_golden():
    """These numbers never change: states of unfinished trainings count on them. Also run on numpy 1.19."""
    assert [hex(key) for key in round_keys(0, 0, MANIFEST).tolist()] == [
        "0xf3541b2246aa1b03", "0x1604686bdf169daf", "0xa11975cfce106dde",
        "0xdbb75541280db8af", "0x72604700dbefe2f3", "0xf666dc2a73cf9d1f",
    ]  # fmt: skip
    assert whole(12).tolist() == [10, 2, 7, 6, 4, 11, 1, 3, 8, 0, 5, 9]
    assert whole(12, epoch=1).tolist() == [9, 1, 11, 2, 7, 5, 8, 3, 6, 0, 10, 4]
    assert permute(np.arange(5), 60_000, 7, 3, MANIFEST).tolist() == [3743, 58418, 24362, 44641, 237]
    assert permute(np.arange(3), 10**12, 7, 3, MANIFEST).tolist() == [373225097254, 928333214261, 39546270394]
    rows = whole(1_000_003, seed=1, epoch=2)
    assert hashlib.sha256(rows.astype("<i8").tobytes()).hexdigest() == (
        "d8a84726c98b6b0b6efedfc6633fe5af80d4a64c9cc008da033cd325fc97aca6"
    )


@pytest.mark.parametrize("changed", [{"seed": 1}, {"epoch": 1}, {"manifest": "cd" * 32}])
def test_depends_on_everything(changed):
    assert (whole(1000) == whole(1000, **changed)).sum() < 10


def test_looks_random():
    """Neighbours stay neighbours, and samples stay in place, about as often as by chance."""
    trials = [whole(10_007, seed) for seed in range(40)]
    neighbours = np.mean([(np.abs(np.diff(rows)) == 1).sum() for rows in trials])
    fixed = np.mean([(rows == np.arange(10_007)).sum() for rows in trials])
    assert 1.4 < neighbours < 2.7  # expected 2, with a deviation of 1.4 / sqrt(40)
    assert 0.5 < fixed < 1.6  # expected 1, with a deviation of 1 / sqrt(40)
    first = np.bincount([whole(10, seed)[0] for seed in range(2000)], minlength=10)
    assert ((first - 200) ** 2 / 200).sum() < 27.9  # chi-squared, 9 degrees of freedom, 0.1 %


@pytest.mark.parametrize("positions", [[-1], [3, 10]])
def test_refuses_positions_outside(positions):
    with pytest.raises(SpecError, match=r"position outside the order; expected 0 … 9; got "):
        permute(np.array(positions), 10, 0, 0, MANIFEST)


def test_no_positions():
    assert permute(np.array([], np.int64), 10, 0, 0, MANIFEST).shape == (0,)


@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=20), draw=st.randoms())
def test_many_orders_at_once_are_each_its_own(sizes, draw):
    positions = np.array([draw.randrange(size) for size in sizes])
    names = [f"m{draw.randrange(3)}" for _ in sizes]
    keys = np.array([round_keys(1, 2, name) for name in names]).T
    halves = np.array([half_bits(size) for size in sizes], np.uint64)
    found = permute_each(positions, np.array(sizes), halves, keys)
    assert found.tolist() == [
        int(permute(np.array([at]), size, 1, 2, name)[0]) for at, size, name in zip(positions, sizes, names)
    ]
