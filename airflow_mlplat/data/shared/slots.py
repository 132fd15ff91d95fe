"""Slots: files that hold one batch each. The server makes batches in them, consumers map them.

A slot that is leased is never written again. It returns to use when the holder of every lease has let go of the
arrays; when a holder was lost (it ended, was expelled, or does not answer) nobody can tell whether it still looks at
them, so the file is unlinked instead, its bytes stay for whoever has them mapped, and a new file takes its place.
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.pool import Lease
from airflow_mlplat.data.shared.slot_files import ARRAYS, MIXED
from airflow_mlplat.errors import PlatformError

_ALIGNED_BYTES = 64  # a cache line: no array begins in the middle of one
_SAMPLE_BYTES = 8 + 8 + 8 + 4  # label, row, partner and share
_ZEROS = memoryview(bytes(4 << 20))  # written at once: more than the kernel's largest pieces of a file, 2 MiB


@dataclass(eq=False)
class Slot:
    """One file.

    Args:
        path: Where it lies. No other slot ever has the same.
        size: How many bytes of images it has room for; of one stream all have the same.
        descriptor: Open for writing until it is mapped; then -1.
        memory: All of it, mapped: uint8; empty until it is.
        in_window: Whether its batch may still be given out.
        leases: How many consumers look at its batch.
        lost: Whether a consumer was lost that may look at it still.
    """

    path: Path
    size: int
    descriptor: int
    memory: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8), repr=False)
    in_window: bool = True
    leases: int = 0
    lost: bool = False


class Slots:
    """The slots of a server. One thread may make a batch while another one takes slots back, and is not kept by that.

    Args:
        folder: Where their files lie.
        batch_size: Of the largest batch.
    """

    def __init__(self, folder: Path, batch_size: int) -> None:
        self._folder, self._numbers = folder, count()
        self._beside = batch_size * _SAMPLE_BYTES + (len(ARRAYS) + len(MIXED)) * _ALIGNED_BYTES
        self._own = os.urandom(4).hex()  # a server whose folder was removed and made anew never touches its heir's
        self._lock = threading.Lock()  # never held while a file is written: a disk may take its time for that
        self._free: list[Slot] = []
        self._making: dict[int, Slot] = {}  # by the number of this use of it
        self._given: dict[int, int] = {}  # address of memory → number of its use
        self._ended: deque[int] = deque()  # uses whose memory is referred to no more
        self._used: set[Slot] = set()
        self._closed = False

    def allocate(self, size: int) -> np.ndarray:
        """Memory of a slot that nobody looks at, for the images of one batch: a `BatchIterator`'s `allocate`.

        Args:
            size: In bytes.

        Returns:
            uint8 (size,), aligned to pages. When nothing refers to it any more, and no batch was put there, the slot is
            free again.

        Raises:
            OSError: The folder is full, or gone, or the slots are closed.
        """
        slot, use = self._take(size)
        try:
            if slot.descriptor >= 0:
                _map(slot, size + self._beside)
            with self._lock:
                self._check_open()
                self._given[slot.memory.ctypes.data] = use
        except BaseException:
            with self._lock:
                self._making.pop(use, None)
            _drop(slot)
            raise
        # Its end may come in any thread, at any time, so it takes no lock.
        return np.asarray(Lease(slot.memory[:size], (size,), lambda _: self._ended.append(use)))

    def put(self, batch: Batch) -> tuple[Slot, dict[str, Any]]:
        """Put a batch into the slot that its images were made in.

        Args:
            batch: Its images begin where memory that `allocate` gave does, in which no other batch was made.

        Returns:
            The slot, in the window; and the fields of the message that tells a consumer of it, but for the lease.

        Raises:
            OSError: The slots are closed.
            PlatformError: Its images lie elsewhere.
        """
        with self._lock:
            self._check_open()
            use = self._given.pop(batch.images.ctypes.data, None)
            if use is None or not batch.images.flags.c_contiguous:
                raise PlatformError("images of a batch were not made in a slot", fix="make them in what allocate gives")
            slot = self._making[use]
        arrays = {name: getattr(batch, name) for name in ARRAYS}
        if batch.mixed is not None:
            arrays.update({name: getattr(batch.mixed, name) for name in MIXED})
        places, end = {}, 0
        for name, array in arrays.items():
            places[name] = [array.dtype.str, list(array.shape), end]
            if name != "images":
                _copy(array, slot.memory, end)
            end += -(-array.nbytes // _ALIGNED_BYTES) * _ALIGNED_BYTES
        with self._lock:
            self._check_open()
            self._used.add(self._making.pop(use))
        return slot, {"file": slot.path.name, "arrays": places, "epoch": batch.epoch, "position": batch.position}

    def _take(self, size: int) -> tuple[Slot, int]:
        """A slot to make a batch in: a free one that is large enough, or a new one, whose file is empty yet.

        Returns:
            It, and the number of this use.
        """
        with self._lock:
            self._check_open()
            while self._ended:
                unmade = self._making.pop(self._ended.popleft(), None)
                if unmade is not None:  # else a batch was put there
                    self._given.pop(unmade.memory.ctypes.data, None)
                    self._free.append(unmade)
            use = next(self._numbers)
            slot = self._pop(size) or self._new(use, size)
            slot.in_window = True
            self._making[use] = slot
            return slot, use

    def _pop(self, size: int) -> Slot | None:
        while self._free:
            slot = self._free.pop()
            if slot.size >= size:
                return slot
            _drop(slot)
        return None

    def _new(self, number: int, size: int) -> Slot:
        path = self._folder / f"slot-{self._own}-{number}"
        return Slot(path, size, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644))

    def _check_open(self) -> None:
        if self._closed:  # a batch that was being made at the server's end must not leave a file behind
            raise OSError(errno.EBADF, "the slots are closed")

    def settle(self, slot: Slot) -> None:
        """Take a slot back if it has left the window, and nobody that is known looks at it or is to open it."""
        with self._lock:
            if slot.in_window or slot.leases or slot not in self._used:
                return
            self._used.remove(slot)
            if slot.lost:
                _drop(slot)
            else:
                self._free.append(slot)

    def close(self) -> None:
        """Unlink all, and make no more; who has one mapped keeps it."""
        with self._lock:
            self._closed = True
            for slot in [*self._free, *self._used, *self._making.values()]:
                _drop(slot)
            self._free, self._used, self._making, self._given = [], set(), {}, {}


def _map(slot: Slot, size: int) -> None:
    """Write so many zeros to a new slot's file, and map it.

    They are written, not only allocated, for two reasons. On file systems that keep files in pieces of more than a page
    (ext4 and XFS of newer kernels), the kernel then does so, and consumers map it in a tenth of the time. And a full
    folder fails here, not in a map by SIGBUS, wherever overwriting takes no new room, as it does on Btrfs and ZFS.
    """
    descriptor, slot.descriptor = slot.descriptor, -1
    try:
        written = 0
        while written < size:
            written += os.pwrite(descriptor, _ZEROS[: size - written], written)
        slot.memory = np.frombuffer(mmap.mmap(descriptor, size), np.uint8)
    finally:
        os.close(descriptor)


def _copy(array: np.ndarray, memory: np.ndarray, offset: int) -> None:
    memory[offset : offset + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _drop(slot: Slot) -> None:
    slot.path.unlink(missing_ok=True)
