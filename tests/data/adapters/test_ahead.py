"""A batch that is made ready ahead is neither lost nor counted before it is given."""

from __future__ import annotations

import pytest

from airflow_mlplat.data import BatchIterator, batch_digest
from airflow_mlplat.data.adapters.ahead import Ahead
from airflow_mlplat.errors import DataError


@pytest.fixture
def of(memory, options):
    """A function that gives an iterator over 21 digits, and its batches one ahead with a list of what was begun."""

    def build(epochs=2, **more):
        iterator, begun = BatchIterator(memory(21, **more), options(), epochs), []

        def start(images, labels):
            begun.append(len(labels))
            return lambda: batch_digest(images, labels)

        return iterator, Ahead(iterator, start), begun

    return build


@pytest.fixture
def expected(memory, options):
    """Digests of two epochs of three batches."""
    return [batch.digest() for batch in BatchIterator(memory(21), options(), 2)]


def test_a_pass_is_an_epoch(of, expected):
    _, batches, _ = of()
    assert [list(batches) for _ in range(3)] == [expected[:3], expected[3:], []]


def test_one_is_begun_ahead_and_not_counted(of):
    iterator, batches, begun = of()
    seen = [(len(begun), iterator.get_state()["position"], batches.get_state()["position"]) for _ in batches]
    assert seen == [(2, 16, 8), (3, 21, 16), (3, 21, 21)]
    assert begun == [8, 8, 5]


def test_goes_on_from_its_state(of, expected):
    _, batches, _ = of()
    given = iter(batches)
    next(given)
    iterator, others, _ = of()
    iterator.set_state(batches.get_state())
    assert list(others) == expected[1:3]


def test_a_pass_that_is_left_gives_back_what_was_begun(of, expected):
    iterator, batches, _ = of()
    given = iter(batches)
    next(given)
    given.close()
    assert iterator.get_state()["position"] == batches.get_state()["position"] == 8
    assert list(batches) == expected[1:3]


def test_another_state_is_not_undone(of, expected):
    iterator, batches, _ = of()
    start = iterator.get_state()
    given = iter(batches)
    next(given)
    iterator.set_state(start)
    assert batches.get_state() == start
    given.close()
    assert list(batches) == expected[:3]


def test_an_error_leaves_the_state_of_what_was_given(of, expected):
    iterator, batches, _ = of(broken=dict.fromkeys(range(21), b"no image"))
    with pytest.raises(DataError, match="digit/"):
        list(batches)
    assert iterator.get_state()["position"] == batches.get_state()["position"] == 0


@pytest.fixture
def failing(memory, options):
    """A function that gives an iterator, and its batches one ahead: a call of start, or of its end, fails once."""

    def build(at, ends):
        iterator, calls = BatchIterator(memory(21), options(), 2), iter(range(100))

        def start(images, labels):
            number = next(calls)
            if number == at and not ends:
                raise MemoryError

            def end():
                if number == at and ends:
                    raise MemoryError
                return batch_digest(images, labels)

            return end

        return iterator, Ahead(iterator, start)

    return build


@pytest.mark.parametrize("ends", [False, True], ids=["start", "end"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_was_not_given_comes_again_after_an_error(failing, expected, at, ends):
    iterator, batches = failing(at, ends)
    seen = []
    with pytest.raises(MemoryError):
        seen.extend(batches)
    assert seen == expected[: at if ends else max(0, at - 1)]
    assert batches.get_state() == iterator.get_state()
    assert batches.get_state()["position"] == 8 * len(seen)
    assert seen + list(batches) == expected[:3]
    assert list(batches) == expected[3:]


def test_what_a_pass_has_begun_another_begins_with(of, expected):
    iterator, batches, _ = of()
    old, new = iter(batches), iter(batches)
    assert [next(old), next(new)] == expected[:2]
    assert (iterator.get_state()["position"], batches.get_state()["position"]) == (21, 16)
    old.close()  # takes nothing from the other
    assert list(new) == expected[2:3]


def test_a_pass_that_gave_all_takes_nothing_from_the_next(of, expected):
    _, batches, _ = of()
    old, new = iter(batches), iter(batches)
    assert [next(old) for _ in range(3)] + [next(new)] == expected[:4]
    old.close()
    assert list(new) == expected[4:]
