"""The thread that makes a server's batches, one after the other, so that the server's own thread is never kept."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.data.plan import next_epoch
from airflow_mlplat.data.shared.pace import Place
from airflow_mlplat.data.shared.slots import Slot, Slots
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.data.source import SampleSource


@dataclass(frozen=True, eq=False)
class Product:
    """A batch in its slot.

    Args:
        place: Where it begins.
        following: Where the next one does.
        slot: What it lies in.
        told: Fields of the message that tells of it.
    """

    place: Place
    following: Place
    slot: Slot
    told: dict[str, Any]


class Producer:
    """Makes batches when asked, in a thread.

    Args:
        spec: What is made.
        slots: Where it is put.
    """

    def __init__(self, spec: StreamSpec, slots: Slots) -> None:
        self._spec, self._slots = spec, slots
        self._orders: queue.SimpleQueue[tuple[Place, int] | None] = queue.SimpleQueue()
        self._done: deque[Product | Exception] = deque()
        self.bell, self._rope = socket.socketpair()
        self.bell.setblocking(False)
        self.busy = False
        self._samples: SampleSource | None = None
        self._iterator: BatchIterator | None = None
        self._stop = 0  # the epoch that it stops before
        self._batches: Iterator[Batch] = iter(())
        self._at: tuple[Place, int] | None = None  # where the iterator's next batch begins, and where it stops
        # A storage that hangs keeps the thread for ever, but not the server.
        threading.Thread(target=self._run, name="mlplat-stream", daemon=True).start()

    def order(self, place: Place, stop: int) -> None:
        """Have the batch made that begins at a place; those of epoch `stop` and later are not decoded ahead."""
        self.busy = True
        self._orders.put((place, stop))

    def collect(self) -> Product | Exception | None:
        """What was made since, or why it cannot be; None if it is not done yet. `bell` can be read when it is."""
        if not self._done:
            return None
        self.bell.recv(1)
        self.busy = False
        return self._done.popleft()

    def close(self) -> None:
        """Have the thread end, when it is done with the batch at hand. It is not waited for: it may hang for ever."""
        self._orders.put(None)
        self.bell.close()

    def _run(self) -> None:
        for order in iter(self._orders.get, None):
            try:
                self._done.append(self._make(*order))
            except Exception as error:
                self._done.append(error)
            with contextlib.suppress(OSError):  # closed meanwhile
                self._rope.send(b"!")
        if self._iterator is not None:
            self._iterator.close()
        self._rope.close()

    def _make(self, place: Place, stop: int) -> Product:
        if self._at != (place, stop):
            self._seek(place, stop)
        batch = next(self._batches)
        following = next_epoch(self._size, self._spec.options, batch.epoch, batch.position)
        self._at = following, stop
        return Product(place, following, *self._slots.put(batch))

    def _seek(self, place: Place, stop: int) -> None:
        if self._samples is None:
            self._samples = self._spec.samples()
            self._size = len(self._samples)
        if self._iterator is None or self._stop != stop:
            if self._iterator is not None:
                self._iterator.close()
            # The slots keep their memory themselves: of one that somebody looks at nothing is made again.
            self._iterator = BatchIterator(self._samples, self._spec.options, stop, self._slots.allocate, spare=0)
            self._stop = stop
        self._iterator.seek(*place)
        self._batches = iter(self._iterator)
