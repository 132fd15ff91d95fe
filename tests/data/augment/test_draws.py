"""The numbers are the same everywhere, different for everything that they depend on, and random enough."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from airflow_mlplat.data.augment.draws import BATCH, Draws

GOLDEN = [772161613173369, 1464212177006979, 148093984394102]
RAW = [17462191176586181515, 2007579213247091038]
OCTETS = [139, 59, 97, 64, 91, 42, 86, 242, 94, 17, 13]


def first(n=20, **of):
    draws = Draws(**{"seed": 7, "epoch": 1, "row": 5, **of})
    return [draws.integer(1 << 53) for _ in range(n)]


def test_golden():
    assert first(3) == GOLDEN
    assert Draws(7, 1, 5).raw(2).tolist() == RAW
    assert Draws(7, 1, 5).octets(11).tolist() == OCTETS


def test_is_philox():
    """Of the key (seed, epoch), counted from the block after (0, row, turn, stream)."""
    stream = 0x6175676D << 32
    philox = np.random.Philox(key=np.array([7, 1], np.uint64), counter=np.array([0, 5, 2, stream], np.uint64))
    assert first(40, turn=2) == [word >> 11 for word in philox.random_raw(40).tolist()]


@pytest.mark.parametrize(
    "other", [{"seed": 8}, {"epoch": 2}, {"row": 6}, {"turn": 1}, {"level": BATCH}, {"seed": -7}, {"seed": 7 + 2**63}]
)
def test_depend_on_everything(other):
    assert not set(first()) & set(first(**other))
    assert first(**other) == first(**other)


def test_neighbours_have_nothing_in_common():
    seen = [number for epoch in range(5) for row in range(40) for number in first(8, epoch=epoch, row=row)]
    assert len(set(seen)) == len(seen)


def test_any_integer_is_a_seed():
    assert first(seed=7 + 2**64) == first()
    assert first(seed=-(2**70)) == first(seed=0)
    assert first(seed=2**64 - 1) == first(seed=-1)


def test_bulk_has_its_own_stream():
    """How many bytes one operation takes does not change the next one's numbers."""
    little, much, one_by_one = Draws(7, 1, 5), Draws(7, 1, 5), first(2)
    assert little.octets(3).tolist() == much.octets(5000)[:3].tolist()
    assert little.octets(8).tolist() == much.octets(8).tolist() != Draws(7, 1, 5).octets(8).tolist()
    assert [draws.integer(1 << 53) for draws in (little, much)] == one_by_one[:1] * 2
    assert little.octets(0).shape == (0,)


def test_threads_that_take_turns():
    """Two samples' numbers, drawn one after another and by many threads at once."""
    expected = {row: first(100, row=row) for row in range(16)}
    found = {}

    def run(row):
        found[row] = first(100, row=row)

    threads = [threading.Thread(target=run, args=(row,)) for row in expected]
    for thread in threads:
        thread.start()
    one, other = Draws(7, 1, 0), Draws(7, 1, 1)
    mixed = [(one.integer(1 << 53), other.integer(1 << 53)) for _ in range(100)]
    for thread in threads:
        thread.join()
    assert found == expected
    assert mixed == list(zip(expected[0], expected[1]))


def test_uniform_in_their_ranges():
    draws = Draws(1, 0, 0)
    found = np.array([draws.uniform(-2, 6) for _ in range(4000)])
    assert -2 <= found.min() < -1.97
    assert 5.97 < found.max() <= 6
    assert abs(found.mean() - 2) < 4 * 8 / np.sqrt(12 * 4000)
    counts = np.bincount([draws.integer(10) for _ in range(4000)], minlength=10)
    assert len(counts) == 10
    assert ((counts - 400) ** 2 / 400).sum() < 27.9  # chi-squared, 9 degrees of freedom, 0.1 %
    assert draws.integer(1) == 0
    assert draws.uniform(3, 3) == 3


def test_chance():
    draws = Draws(1, 0, 0)
    assert not any(draws.chance(0) for _ in range(500))
    assert all(draws.chance(1) for _ in range(500))
    assert abs(sum(draws.chance(0.3) for _ in range(4000)) - 1200) < 4 * np.sqrt(4000 * 0.21)
