"""Which batches are given out, to whom, and who holds up whom. Knows no sockets, no files and no clock.

The window is the last batches that were made, at most `size` of them. Each consumer that takes part has a cursor: the
index of the batch that it takes next. A batch that every cursor has passed leaves the window: at once when all who are
expected take part, for its memory is in the processor's caches still; while some are missing only to make room for a
new one. A consumer takes part from when it asks for a batch of the window, or for the one to be made next; one whose
place is anywhere else, since it joined late or was resumed from another state, is `apart` and decodes for itself, but
may ask again. When nobody takes part any more, the next to ask says where to go on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Place = tuple[int, int]
"""(epoch, position) that a batch begins at, as `plan.next_epoch` has it: never an epoch's end."""
Thing = TypeVar("Thing")


@dataclass(frozen=True, eq=False)
class Made(Generic[Thing]):
    """A batch of the window.

    Args:
        place: Where it begins.
        thing: What the batch lies in.
    """

    place: Place
    thing: Thing


class Pace(Generic[Thing]):
    """The window and its consumers, named by whole numbers.

    Args:
        size: Batches in the window at most.
        patience_seconds: As in `StreamOptions`.
        consumers: So many are expected. Where it is one, as when nobody says, nobody knows how many come.
    """

    def __init__(self, size: int, patience_seconds: float, consumers: int) -> None:
        self._size, self._patience, self._expected = size, patience_seconds, consumers
        self._window: deque[Made[Thing]] = deque()
        self._first = 0  # index of the window's oldest batch
        self._next: Place | None = None  # where the batch after the window begins
        self._cursors: dict[int, int] = {}
        self._held_up: dict[int, float] = {}  # consumer → seconds in which others waited for it, in its epoch
        self._epochs: dict[int, int] = {}  # consumer → epoch of the batch that it took last

    def attach(self, consumer: int, place: Place) -> tuple[bool, list[Thing]]:
        """Let a consumer take part from a place on, if the stream is there.

        Returns:
            Whether it does now; and what left the window since it is the first, and its place another.
        """
        self._cursors.pop(consumer, None)
        index = self._index(place)
        gone: list[Thing] = []
        if index is None and not self._cursors:
            gone = [made.thing for made in self._window]
            self._first += len(self._window)
            self._window.clear()
            self._next, index = place, self._first
        if index is not None:
            self._cursors[consumer] = index
            self._held_up.setdefault(consumer, 0.0)
        return index is not None, gone

    def detach(self, consumer: int) -> None:
        """It takes part no more."""
        for kept in (self._cursors, self._held_up, self._epochs):
            kept.pop(consumer, None)

    def is_at(self, consumer: int, place: Place) -> bool:
        """Whether a consumer takes part, and this is where it is."""
        return consumer in self._cursors and self._index(place) == self._cursors[consumer]

    def take(self, consumer: int) -> Thing | None:
        """The next batch of a consumer that takes part; None while it is not made."""
        index = self._cursors[consumer]
        if index == self._end:
            return None
        made = self._window[index - self._first]
        self._cursors[consumer] = index + 1
        if self._epochs.get(consumer) != made.place[0]:
            self._epochs[consumer], self._held_up[consumer] = made.place[0], 0.0
        return made.thing

    def passed(self) -> list[Thing]:
        """What leaves the window now, since all who are expected take part and have passed it."""
        gone: list[Thing] = []
        if 1 < self._expected <= len(self._cursors):
            while self._first < min(self._cursors.values()):
                gone.append(self._window.popleft().thing)
                self._first += 1
        return gone

    def begin(self, stop: int) -> tuple[Place, list[Thing]] | None:
        """Make room for a batch that is to be made now.

        Args:
            stop: The first epoch that nobody wants.

        Returns:
            Where it begins, and what left the window for it; None if nobody takes part, or one is in the way.
        """
        if not self._cursors or self._next is None or self._next[0] >= stop or self._laggards():
            return None
        gone = []
        while len(self._window) >= self._size:
            gone.append(self._window.popleft().thing)
            self._first += 1
        return self._next, gone

    def add(self, place: Place, thing: Thing, following: Place) -> bool:
        """Add a batch that was begun.

        Args:
            place: Where it begins.
            thing: What it lies in.
            following: Where the next one begins.

        Returns:
            Whether it is wanted still: not if the stream has begun elsewhere since.
        """
        if place != self._next:
            return False
        self._window.append(Made(place, thing))
        self._next = following
        return True

    def hold_up(self, seconds: float) -> list[int]:
        """Others waited for so long for those that are in the way.

        Returns:
            Those that did so for too long: they take part no more.
        """
        for consumer in self._laggards():
            self._held_up[consumer] += seconds
        expelled = [c for c in self._laggards() if self._held_up[c] > self._patience]
        for consumer in expelled:
            self.detach(consumer)
        return expelled

    def waits_for_others(self, consumer: int) -> bool:
        """Whether a consumer's next batch cannot be made since another one is in the way."""
        return self._cursors.get(consumer) == self._end and bool(self._laggards())

    @property
    def _end(self) -> int:
        return self._first + len(self._window)

    def _laggards(self) -> list[int]:
        """Those that have yet to take the oldest batch, when the window is full."""
        if len(self._window) < self._size:
            return []
        return [consumer for consumer, cursor in self._cursors.items() if cursor == self._first]

    def _index(self, place: Place) -> int | None:
        for index, made in enumerate(self._window, self._first):
            if made.place == place:
                return index
        return self._end if place == self._next else None
