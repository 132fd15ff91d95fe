"""One batch made ready before it is asked for, with a state that does not count it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator

Start = Callable[[np.ndarray, np.ndarray], Callable[[], Any]]
"""Of images, uint8 (n, height, width, channels), and labels, int64 (n,): begins their copy, and gives its end."""


class Ahead:
    """Batches that are copied while the one before is worked on.

    Args:
        iterator: Where the batches come from.
        start: Begins the copy of one batch; what it returns is called when that batch is asked for.
    """

    def __init__(self, iterator: BatchIterator, start: Start) -> None:
        self._iterator, self._start = iterator, start
        self._given = self._began = iterator.get_state()

    def get_state(self) -> dict[str, Any]:
        """As the iterator's, but without the batch that was begun and not yet given."""
        state = self._iterator.get_state()
        return self._given if state == self._began else state

    def __iter__(self) -> Iterator[Any]:
        """The rest of one epoch. Left before its end it gives back what was begun: the next pass begins with that."""
        end: Callable[[], Any] | None = None
        self._give_back()
        began = self._given = self._began = self._iterator.get_state()
        try:
            for images, labels in arrays(self._iterator):
                before, began = began, self._iterator.get_state()
                self._began = began
                given, end = end, self._start(images, labels)
                if given:
                    yield self._ended(given, before)
            if end:
                yield self._ended(end, began)
        finally:
            if self._began is began:  # else another pass is under way, and what was begun is that pass's
                self._give_back()

    def _ended(self, end: Callable[[], Any], state: dict[str, Any]) -> Any:
        """A batch at the end of its copy: given from now on, unless that fails."""
        batch = end()
        self._given = state
        return batch

    def _give_back(self) -> None:
        """Let the iterator go on from what was given, unless it was set to another state since a batch was begun."""
        if self._given != self._began == self._iterator.get_state():
            self._iterator.set_state(self._given)
            self._began = self._given
