"""Many pieces of memory as `bytes`: see `pieces.c`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from airflow_mlplat.compiled.library import locked_library

GROUP, GROUP_BYTES = 16, 256 << 10
"""Pieces that are copied by one call at most, and about how many bytes: for some 25 µs Python's other threads wait, and
the processor's own caches still hold what was copied when it is used."""


def pieces(
    memories: Sequence[Any], which: np.ndarray, offsets: np.ndarray, sizes: np.ndarray, sums: np.ndarray | None = None
) -> Iterator[bytes | None] | None:
    """Copies, made as they are asked for.

    Args:
        memories: What the pieces lie in; they must neither change nor be closed meanwhile.
        which: Of them, for each piece: int64 (m,).
        offsets: int64 (m,), in bytes.
        sizes: int64 (m,), in bytes.
        sums: uint32 (m,): the CRC-32C that each should have; None if they are not compared.

    Returns:
        The i-th is `memories[which[i]][offsets[i] : offsets[i] + sizes[i]]`, or None if its CRC-32C is another.
        Instead of an iterator None, if nothing is compiled or a piece goes beyond its memory.
    """
    compiled = locked_library()
    if compiled is None:
        return None
    offsets, sizes = offsets.astype(np.int64), sizes.astype(np.int64)  # own ones: what is looked at here stays
    arrays = [np.frombuffer(memory, np.uint8) for memory in memories]
    ends = np.array([len(array) for array in arrays], np.int64)[which]
    if ((offsets < 0) | (sizes < 0) | (offsets > ends - sizes)).any():
        return None
    begins = np.array([array.ctypes.data for array in arrays], np.int64)[which] + offsets
    return chain.from_iterable(_groups(compiled.mlplat_pieces, arrays, begins, sizes, sums))


def _groups(
    copied: Any, arrays: list[np.ndarray], begins: np.ndarray, sizes: np.ndarray, sums: np.ndarray | None
) -> Iterator[list[bytes | None]]:
    """In lists. `arrays` are referred to here, so what they lie in is not unmapped."""
    count = len(begins)
    group = max(1, min(GROUP, GROUP_BYTES * count // max(1, int(sizes.sum()))))
    sums = None if sums is None else np.ascontiguousarray(sums, np.uint32)
    given = begins.ctypes.data, sizes.ctypes.data, None if sums is None else sums.ctypes.data
    for start in range(0, count, group):
        yield copied(*given, start, min(start + group, count), count)
