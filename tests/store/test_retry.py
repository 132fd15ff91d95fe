"""Calls that are repeated."""

from __future__ import annotations

import pytest

from airflow_mlplat.store import retry


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    """How long was waited, each time."""
    waited: list[float] = []
    monkeypatch.setattr(retry.time, "sleep", waited.append)
    return waited


class Call:
    """Raises each of some errors, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.count = list(errors), 0

    def __call__(self) -> int:
        self.count += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


def passes(error: Exception) -> bool:
    return isinstance(error, OSError)


def test_it_is_called_until_it_succeeds(pauses):
    call = Call(OSError(), OSError())
    assert (retry.repeated(call, passes, 3), call.count) == (7, 3)
    assert pauses == [0.1, 0.4]


@pytest.mark.parametrize(
    ("errors", "attempts", "raised", "count"),
    [([OSError("a"), OSError("b")], 2, "b", 2), ([ValueError("a")], 3, "a", 1), ([OSError("a")], 1, "a", 1)],
)
def test_the_last_error_is_raised(pauses, errors, attempts, raised, count):
    call = Call(*errors)
    with pytest.raises((OSError, ValueError), match=raised):
        retry.repeated(call, passes, attempts)
    assert call.count == count and len(pauses) == count - 1
