"""Slots: files that hold one batch each. The server writes them, consumers map them.

A slot that is leased is never written again. It returns to use when the holder of every lease has let go of the
arrays; when a holder was lost (it ended, was expelled, or does not answer) nobody can tell whether it still looks at
them, so the file is unlinked instead, its bytes stay for whoever has them mapped, and a new file takes its place.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.data.augment import Mixed
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.protocol import ProtocolError

NAME = re.compile(r"slot-[0-9a-f]{8}-\d+")
"""Of a slot's file: which server's, and which of its slots."""
_ALIGNED_BYTES = 64  # a cache line: no array begins in the middle of one
_DTYPES = ("|u1", "<i4", "<i8", "<f4", "<f8")
_ARRAYS, _MIXED = ("images", "labels", "rows"), ("partners", "shares")


@dataclass(eq=False)
class Slot:
    """One file.

    Args:
        path: Where it lies. No other slot ever has the same.
        descriptor: Open for writing.
        size: In bytes, all of them allocated; 0 until they are.
        in_window: Whether its batch may still be given out.
        leases: How many consumers look at its batch.
        lost: Whether a consumer was lost that may look at it still.
    """

    path: Path
    descriptor: int
    size: int = 0
    in_window: bool = True
    leases: int = 0
    lost: bool = False


class Slots:
    """The slots of a server. One thread may write one while another one takes others back, and is not kept by that.

    Args:
        folder: Where their files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._made = folder, 0
        self._own = os.urandom(4).hex()  # a server whose folder was removed and made anew never touches its heir's
        self._lock = threading.Lock()  # never held while a batch is written: a disk may take its time for that
        self._free: list[Slot] = []
        self._writing: set[Slot] = set()  # only who writes one of them may close its descriptor
        self._used: set[Slot] = set()
        self._closed = False

    def write(self, batch: Batch) -> tuple[Slot, dict[str, Any]]:
        """Put a batch into a slot that nobody looks at.

        Returns:
            The slot, in the window; and the fields of the message that tells a consumer of it, but for the lease.

        Raises:
            OSError: The folder is full, or gone, or the slots are closed.
        """
        arrays = {name: np.ascontiguousarray(getattr(batch, name)) for name in _ARRAYS}
        if batch.mixed is not None:
            arrays.update({name: np.ascontiguousarray(getattr(batch.mixed, name)) for name in _MIXED})
        places, size = _places(arrays)
        slot = self._take(size)
        try:
            _allocate(slot, size)
            for name, (_, _, offset) in places.items():
                _write(slot.descriptor, arrays[name], offset)
            self._keep(slot)
        except BaseException:
            self._give_up(slot)
            raise
        told = {"file": slot.path.name, "arrays": places, "epoch": batch.epoch, "position": batch.position}
        return slot, told

    def _take(self, size: int) -> Slot:
        """A slot to be written: a free one that is large enough, or a new one."""
        with self._lock:
            self._check_open()
            slot = self._pop(size)
            if slot is None:
                path = self._folder / f"slot-{self._own}-{self._made}"
                slot = Slot(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644))
                self._made += 1
            self._writing.add(slot)
            return slot

    def _pop(self, size: int) -> Slot | None:
        while self._free:
            slot = self._free.pop()
            if slot.size >= size:
                slot.in_window = True
                return slot
            _drop(slot)
        return None

    def _keep(self, slot: Slot) -> None:
        """It is written."""
        with self._lock:
            self._check_open()
            self._writing.remove(slot)
            self._used.add(slot)

    def _give_up(self, slot: Slot) -> None:
        """It cannot be written, or is not wanted any more."""
        with self._lock:
            self._writing.remove(slot)
        _drop(slot)

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
            for slot in [*self._free, *self._used]:
                _drop(slot)
            for slot in self._writing:
                # Not its descriptor: its number might be that of another file by the time of the next write.
                slot.path.unlink(missing_ok=True)
            self._free, self._used = [], set()


def _places(arrays: dict[str, np.ndarray]) -> tuple[dict[str, Any], int]:
    """Of each array [dtype, shape, offset in bytes], and the size of all, at least 1."""
    places, end = {}, 0
    for name, array in arrays.items():
        places[name] = [array.dtype.str, list(array.shape), end]
        end += -(-array.nbytes // _ALIGNED_BYTES) * _ALIGNED_BYTES
    return places, max(end, 1)


def _allocate(slot: Slot, size: int) -> None:
    if not slot.size:
        os.posix_fallocate(slot.descriptor, 0, size)  # a full folder fails here, not a consumer by SIGBUS
        slot.size = size


def _write(descriptor: int, array: np.ndarray, offset: int) -> None:
    if not array.nbytes:
        return  # a memoryview of nothing cannot be cast
    rest = array.data.cast("B")
    while rest:
        count = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[count:], offset + count


def _drop(slot: Slot) -> None:
    os.close(slot.descriptor)
    slot.path.unlink(missing_ok=True)


def read(folder: Path, told: dict[str, Any]) -> tuple[Batch, mmap.mmap]:
    """A batch that a server tells of, without a copy: private pages, the reader's own to change.

    Args:
        folder: Where the slots lie.
        told: A `batch` message.

    Returns:
        The batch, and what its arrays lie in, which lives as long as any of them or of their views.

    Raises:
        ProtocolError: The message does not describe a batch in that file.
        OSError: The file cannot be mapped.
    """
    if not NAME.fullmatch(told["file"]):
        raise ProtocolError("that is no slot", expected=NAME.pattern, got=repr(told["file"]))
    descriptor = os.open(folder / told["file"], os.O_RDONLY | os.O_NOFOLLOW)
    try:
        mapped = mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError as error:  # an empty file
        raise ProtocolError("slot is empty", got=told["file"]) from error
    finally:
        os.close(descriptor)
    try:
        arrays = {name: _array(mapped, *place) for name, place in told["arrays"].items()}
        mixed = Mixed(arrays["images"], *(arrays.pop(name) for name in _MIXED)) if len(arrays) > len(_ARRAYS) else None
        return Batch(**arrays, epoch=told["epoch"], position=told["position"], mixed=mixed), mapped
    except (TypeError, ValueError, KeyError) as error:
        raise ProtocolError("message describes no batch", got=f"{told['arrays']!r}: {error}") from error


def copied(batch: Batch) -> Batch:
    """The batch in ordinary memory."""
    images, mixed = batch.images.copy(), batch.mixed
    if mixed is not None:
        mixed = Mixed(images, mixed.partners.copy(), mixed.shares.copy())
    return Batch(images, batch.labels.copy(), batch.rows.copy(), batch.epoch, batch.position, mixed)


def _array(mapped: mmap.mmap, dtype: str, shape: list[int], offset: int) -> np.ndarray:
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}")
    return np.ndarray(tuple(shape), np.dtype(dtype), mapped, offset)  # ValueError if it ends after the file
