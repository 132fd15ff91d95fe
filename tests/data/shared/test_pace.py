"""The window: who is given which batch, who waits for whom, and who is expelled."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from airflow_mlplat.data.shared.pace import Pace

EPOCH = 5  # batches


def place(index):
    return divmod(index, EPOCH)


def make(pace, stop=100):
    """Make a batch if one is to be made; its index in the whole order."""
    begun = pace.begin(stop)
    if begun is None:
        return None
    (epoch, position), gone = begun
    index = EPOCH * epoch + position
    assert pace.add((epoch, position), index, place(index + 1))
    return index, gone


def pace_with(size, *consumers, at=0, expected=9):
    pace = Pace(size, 1.0, expected)
    for consumer in consumers:
        assert pace.attach(consumer, place(at)) == (True, [])
    return pace


def test_nothing_is_made_for_nobody():
    assert Pace(2, 1.0, 1).begin(100) is None


def test_the_first_says_where_to_begin():
    pace = pace_with(2, 1, at=7)
    assert pace.take(1) is None
    assert make(pace) == (7, [])
    assert pace.is_at(1, place(7))
    assert pace.take(1) == 7
    assert not pace.is_at(1, place(7))
    assert pace.is_at(1, place(8))


def test_not_beyond_what_is_wanted():
    pace = pace_with(9, 1, at=EPOCH - 1)
    assert make(pace, stop=1) == (EPOCH - 1, [])
    assert make(pace, stop=1) is None
    assert make(pace, stop=2) == (EPOCH, [])


def test_the_window_waits_for_the_last():
    pace = pace_with(2, 1, 2)
    assert [make(pace) for _ in range(3)] == [(0, []), (1, []), None]
    assert (pace.take(1), pace.take(1), pace.take(1)) == (0, 1, None)
    assert pace.waits_for_others(1)
    assert not pace.waits_for_others(2)
    assert make(pace) is None
    assert pace.take(2) == 0
    assert make(pace) == (2, [0])
    assert pace.take(1) == 2


def test_what_all_passed_leaves_at_once():
    pace = pace_with(9, 1, 2, expected=2)
    for _ in range(3):
        make(pace)
    assert [pace.take(1), pace.take(1), pace.take(2)] == [0, 1, 0]
    assert pace.passed() == [0]
    assert pace.passed() == []
    assert pace.take(2) == 1
    assert pace.passed() == [1]
    assert pace.attach(3, place(1)) == (False, [])
    assert make(pace) == (3, [])
    assert [pace.take(1), pace.take(1), pace.take(2), pace.take(2)] == [2, 3, 2, 3]
    assert pace.passed() == [2, 3]
    assert pace.passed() == []
    assert pace.take(1) is None


def test_more_than_are_expected():
    pace = pace_with(9, 1, 2, 3, expected=2)
    make(pace)
    assert {pace.take(1), pace.take(2)} == {0}
    assert pace.passed() == []
    assert pace.take(3) == 0
    assert pace.passed() == [0]


@pytest.mark.parametrize(("consumers", "expected"), [((1, 2), 3), ((1,), 2), ((1,), 1), ((1, 2), 1)])
def test_what_all_passed_stays_for_those_who_are_missing(consumers, expected):
    """A stream that is told of one consumer may be shared by any number."""
    pace = pace_with(9, *consumers, expected=expected)
    make(pace)
    assert {pace.take(consumer) for consumer in consumers} == {0}
    assert pace.passed() == []
    assert pace.attach(4, place(0)) == (True, [])


def test_one_that_joins_within_the_window():
    pace = pace_with(3, 1)
    for _ in range(5):
        make(pace)
        pace.take(1)
    assert pace.attach(2, place(1)) == (False, [])
    assert pace.attach(2, place(6)) == (False, [])
    assert not any(pace.is_at(2, place(index)) for index in range(7))
    assert pace.attach(2, place(5)) == (True, [])
    pace.detach(2)
    assert pace.attach(3, place(2)) == (True, [])
    assert [pace.take(3) for _ in range(4)] == [2, 3, 4, None]


def test_one_that_joins_while_a_batch_is_made():
    """The batch that leaves the window for it is gone from when it is begun."""
    pace = pace_with(2, 1)
    for _ in range(2):
        make(pace)
        pace.take(1)
    assert pace.begin(100) == (place(2), [0])
    assert pace.attach(2, place(0)) == (False, [])
    assert pace.attach(2, place(1)) == (True, [])
    assert pace.add(place(2), 2, place(3))
    assert [pace.take(2), pace.take(2)] == [1, 2]


def test_another_place_when_nobody_takes_part():
    pace = pace_with(2, 1)
    make(pace)
    assert pace.begin(100) == (place(1), [])
    pace.detach(1)
    assert pace.attach(2, place(40)) == (True, [0])
    assert not pace.add(place(1), 1, place(2))  # nobody wants it any more
    assert make(pace) == (40, [])
    assert pace.take(2) == 40


def test_one_that_goes_back():
    pace = pace_with(3, 1, 2)
    make(pace)
    assert pace.take(1) == 0
    assert pace.attach(1, place(0)) == (True, [])
    assert pace.take(1) == 0
    assert pace.attach(1, place(30)) == (False, [])
    assert not any(pace.is_at(1, place(index)) for index in range(31))


def test_the_slow_one_is_expelled():
    pace = pace_with(2, 1, 2, 3)
    make(pace), make(pace)
    assert (pace.take(1), pace.take(1), pace.take(2)) == (0, 1, 0)
    assert pace.hold_up(0.9) == []
    assert pace.hold_up(0.2) == [3]
    assert make(pace) == (2, [0])
    assert make(pace) is None  # the second is in the way now, with patience of its own
    assert (pace.take(1), pace.hold_up(0.9)) == (2, [])


def test_patience_is_of_one_epoch():
    pace = pace_with(1, 1, 2)
    for _ in range(EPOCH + 1):
        make(pace)
        pace.take(1)
        if place(_)[0] == 0 and _ < EPOCH - 2:
            assert pace.hold_up(0.3) == []
        pace.take(2)
    make(pace)
    pace.take(1)
    assert pace.hold_up(0.9) == []
    assert pace.hold_up(0.2) == [2]


@given(st.integers(1, 4), st.integers(1, 5), st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=80))
def test_everyone_gets_everything_in_order(size, expected, steps):
    """Whoever asks when, and whoever leaves: each is given every batch once, and none leaves before all have it."""
    pace, taken, kept = pace_with(size, 0, 1, 2, 3, expected=expected), {c: [] for c in range(4)}, set()
    stay = set(taken)
    for consumer, leaves in steps:
        made = make(pace)
        if made is not None:
            kept.add(made[0])
            kept -= set(made[1])
            assert len(kept) <= size
        if leaves and consumer:
            pace.detach(consumer)
            stay.discard(consumer)
        if consumer in stay:
            index = pace.take(consumer)
            if index is not None:
                assert index in kept
                taken[consumer].append(index)
        kept -= set(pace.passed())
    assert all(found == list(range(len(found))) for found in taken.values())
