"""The cache's folder: finished shards, shards being written, one lock. Any processes of one user may share it.

    <sha256>.tar    finished: hashed, never written again; mapped by readers, each under a shared flock(2)
    <sha256>.part   being written, under an exclusive flock(2), at its full size from the start
    lock            held while room is made: the sizes of the files are the reservations, there is no other ledger

Only a file that nobody maps is evicted, so no unlinked file holds disk, and the bound holds for what the disk holds.
A killed process leaves at most parts, which the next one that needs room removes. Not for NFS, whose locks differ.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Callable

from airflow_mlplat.data.cache.part import Part, unlock
from airflow_mlplat.data.cache.stamp import is_stamped, stamp
from airflow_mlplat.errors import ConfigError, SpecError

DONE, PART = ".tar", ".part"
BLOCK = 4096
"""What file systems round sizes up to, in bytes."""
LOCK_SECONDS = 10.0
"""How long a stopped process may keep others from making room, before they do without."""
_CHUNK_BYTES = 1 << 20

Distance = Callable[[str], float]
"""Shard → how far off its next use is: the furthest is evicted first. Negative: never."""


class BusyError(Exception):
    """Another process writes the shard.

    Args:
        seconds: Since its last byte.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class FullError(Exception):
    """There is no room, and none can be made."""


class ShardCache:
    """Whole shards by their SHA-256, never more bytes of them than the bound. Safe between threads and processes.

    Args:
        folder: A folder of its own, on a disk of this host; made if need be.
        max_bytes: Bound of what the files in it take of the disk.

    Raises:
        SpecError: The bound is not positive.
        ConfigError: The folder cannot be made or written, as one that is another user's.
    """

    def __init__(self, folder: Path | str, max_bytes: int) -> None:
        if not isinstance(max_bytes, int) or max_bytes < 1:
            raise SpecError("max_bytes must be a number of bytes", expected="1 or more", got=repr(max_bytes))
        self.folder, self.max_bytes = Path(folder).absolute(), max_bytes
        self.evictions = self.damaged = 0  # files that this object removed: to make room, or as damaged
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / "lock").touch()
        except OSError as error:
            raise ConfigError(
                f"the cache {self.folder} cannot be written", got=error.strerror, fix="choose another folder"
            ) from error

    def path(self, shard: str) -> Path:
        """Where a finished shard lies."""
        return self.folder / (shard + DONE)

    def has(self, shard: str) -> bool:
        """Whether the shard is there; not whether it is whole."""
        return self.path(shard).exists()

    def shards(self) -> set[str]:
        """Which shards are there; not whether they are whole."""
        try:
            return {path.stem for path in self.folder.glob("*" + DONE)}
        except OSError:  # somebody removed the folder: then everything is streamed
            return set()

    def open(self, shard: str, size: int) -> int | None:
        """A handle of a finished shard, under a shared lock that keeps it from being evicted. None if it is absent.

        One of another size, or whose SHA-256 is another, is removed, and counts as absent. The SHA-256 is compared
        unless a process has done so since the host started and nobody has written since: see `stamp`.

        Raises:
            FullError: The folder's lock cannot be had.
        """
        if (handle := self._opened(shard)) is None:
            return None
        kept = False
        try:
            stat = os.fstat(handle)
            if stat.st_size == size and (is_stamped(stat, shard) or _sha256(handle) == shard):
                stamp(handle, shard)
                kept = True
                return handle
            self._remove(self.path(shard), stat)
            return None
        finally:
            if not kept:
                unlock(handle)

    def claim(self, shard: str, size: int, distance: Distance) -> Part:
        """The right, and the room, to write a shard that is absent.

        Args:
            shard: Its SHA-256.
            size: In bytes.
            distance: Tells which shards to evict.

        Raises:
            BusyError: Another process is about to, or has just done it.
            FullError: There is no room.
        """
        path = self.folder / (shard + PART)
        with self._locked():
            if self.has(shard):
                raise BusyError(0)
            handle = _claimed(path)
            part = Part(handle, path, shard, size)
            try:
                os.ftruncate(handle, 0)  # what a killed process left
                self._make_room(_rounded(size), distance, path)
                os.posix_fallocate(handle, 0, size)
            except OSError as error:  # no space, a quota, a limit of the process
                part.discard()
                raise FullError(error.strerror) from error
            except BaseException:
                part.discard()
                raise
        return part

    def publish(self, part: Part) -> int:
        """Finish a part that is whole; a handle as `open` gives it.

        Raises:
            OSError: It cannot be renamed.
            FullError: The folder's lock cannot be had.
        """
        with self._locked():  # whoever lists the folder would miss a file that is renamed meanwhile
            return part.publish(self.path(part.shard))

    def used(self) -> int:
        """Bytes that the files take of the disk now."""
        with self._locked():
            return sum(_held(stat) for _, stat in _files(self.folder))

    def recheck(self, shard: str) -> bool:
        """Hash a finished shard, stamped or not, and remove it if it is damaged; whether it was removed.

        Raises:
            OSError: The folder is gone.
            FullError: Its lock cannot be had.
        """
        if (handle := self._opened(shard)) is None:
            return True
        try:
            damaged = _sha256(handle) != shard
            if damaged:
                self._remove(self.path(shard), os.fstat(handle))
            return damaged
        finally:
            unlock(handle)

    def _opened(self, shard: str) -> int | None:
        """A handle under a shared lock. Under the lock of all: one opened while it is evicted would hold its disk."""
        with self._locked():
            try:
                handle = os.open(self.path(shard), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            fcntl.flock(handle, fcntl.LOCK_SH)
            return handle

    def _make_room(self, size: int, distance: Distance, own: Path) -> None:
        """Evict until there is room. Under the lock."""
        if size > self.max_bytes:
            raise FullError("larger than the cache")
        used, victims = 0, []
        for path, stat in _files(self.folder):
            if path == own or (path.suffix == PART and _unlinked(path)):
                continue
            used += _held(stat)
            if path.suffix == DONE:
                victims.append((-distance(path.stem), stat.st_atime_ns, path, _held(stat)))
        victims.sort()
        for nearness, _, path, held in victims:
            if used + size <= self.max_bytes:
                return
            if nearness <= 0 and _unlinked(path):
                used -= held
                self.evictions += 1
        if used + size > self.max_bytes:
            raise FullError("all of it is in use, or needed sooner")

    def _remove(self, path: Path, stat: os.stat_result) -> None:
        with self._locked(), suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), stat):
                path.unlink()
                self.damaged += 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            end = time.monotonic() + LOCK_SECONDS
            while not _lock(handle):
                if time.monotonic() > end:
                    raise FullError("its lock is held by a process that does not go on")
                time.sleep(0.001)
            yield
        finally:
            unlock(handle)


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            yield path, path.stat()


def _rounded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _held(stat: os.stat_result) -> int:
    """Bytes that a file takes: those it has, or more where the file system keeps more."""
    return max(_rounded(stat.st_size), stat.st_blocks * 512)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _claimed(path: Path) -> int:
    """A handle of the part, under its exclusive lock."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if not _lock(handle):
            age = time.time() - os.fstat(handle).st_mtime
            os.close(handle)
            raise BusyError(age)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        unlock(handle)  # finished, and renamed, between the two calls


def _unlinked(path: Path) -> bool:
    """Remove a file that nobody holds locked; whether it is gone."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        if not _lock(handle):
            return False
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                path.unlink()
        return True
    finally:
        unlock(handle)


def _sha256(handle: int) -> str:
    sha256, offset = hashlib.sha256(), 0
    while chunk := os.pread(handle, _CHUNK_BYTES, offset):
        sha256.update(chunk)
        offset += len(chunk)
    return sha256.hexdigest()
