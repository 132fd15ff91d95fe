"""One shard from the store into a part of the cache: ranges at once, hashed in order while more arrive."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from functools import partial
from typing import Any

from airflow_mlplat.data.cache.connections import Connections
from airflow_mlplat.data.cache.part import Part
from airflow_mlplat.store.backend import Backend

_buffers = threading.local()


def fetch(
    backend: Backend, path: str, part: Part, *, connections: Connections, urgency: float, range_bytes: int
) -> int:
    """Fill a part.

    Args:
        backend: Where the shard lies.
        path: Its path there.
        part: To be filled; `part.is_whole()` then tells whether it is the shard.
        connections: What fetches.
        urgency: The lower, the sooner.
        range_bytes: Of one request.

    Returns:
        Bytes that came.

    Raises:
        StoreError: The store fails.
        NotFoundError: It has no such shard.
        OSError: The part cannot be written.
        concurrent.futures.CancelledError: The connections were closed.
    """
    ends = [min(start + range_bytes, part.size) for start in range(0, part.size, range_bytes)]
    ranges: list[Future[Any]] = [
        connections.submit(urgency, partial(_copy, backend, path, part, start, end))
        for start, end in zip(range(0, part.size, range_bytes), ends)
    ]
    came = 0
    try:
        for end, future in zip(ends, ranges):
            came += future.result()
            part.hash_to(end)
    finally:
        for future in ranges:
            future.cancel()
        wait(ranges)  # none may write any more when the part's handle is closed, and its number given to another file
    return came


def _copy(backend: Backend, path: str, part: Part, start: int, end: int) -> int:
    view = memoryview(_buffer(end - start))[: end - start]
    read_into = getattr(backend, "read_into", None)  # of backends that can spare a copy
    if read_into is None:
        view = memoryview(backend.read_range(path, start, end - start))
        count = len(view)
    else:
        count = read_into(path, start, view)
    part.write(start, view[:count])
    return count


def _buffer(size: int) -> bytearray:
    """Memory of this thread, used again: fresh pages for every range would cost as much as the copy."""
    if len(getattr(_buffers, "own", b"")) < size:
        _buffers.own = bytearray(size)
    return _buffers.own
