"""The index of one shard, as rows of the samples that are left of it."""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Any

import numpy as np

from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import layout
from airflow_mlplat.store.index import INDEX_DTYPE, NO_LABEL
from airflow_mlplat.store.sidecars import Sidecar, Sidecars

ROW = struct.Struct("<QIIq")
"""A row of `INDEX_DTYPE`, for one row at a time: a fifth of what an item of the array costs."""
_unpack = ROW.unpack_from


_PIECE_BYTES = 1 << 16
"""An index is mapped when it was looked at as often as it has pieces of this size. Linux maps as much of a file as lies
together in its cache, often 2 MB, for every row that is looked at; a row that is read instead costs some 15 µs.
"""


class ShardIndex:
    """Where a shard's samples lie in it, and their labels. Shared between threads.

    Args:
        sha256: Of the shard.
        start: Row of its first sample that is left.
        sidecar: Of records of `INDEX_DTYPE`, one for each of its samples.
        gaps: int64, as `shard_rows` gives them; None if no row is dropped.
        table: int64, label in the shard → label; its last entry is that of -1. None keeps them.
    """

    __slots__ = ("_looks", "_sidecar", "_table", "buffer", "check", "gaps", "sha256", "start")

    def __init__(
        self, sha256: str, start: int, sidecar: Sidecar, gaps: np.ndarray | None, table: np.ndarray | None
    ) -> None:
        self.sha256, self.start, self._sidecar, self._table = sha256, start, sidecar, table
        self.gaps: list[int] = [] if gaps is None else gaps.tolist()
        self._looks = sidecar.head.shape[0] * ROW.size // _PIECE_BYTES if sidecar.mappable else 0
        self.check = sidecar.check
        """To be called before `buffer` is looked at."""
        self.buffer: memoryview | None = None
        """The bytes of all records, once they are mapped."""

    def place(self, row: int) -> int:
        """Which of the shard's samples, from 0, a row is."""
        place = row - self.start
        return place + bisect_right(self.gaps, place) if self.gaps else place

    def entry(self, row: int) -> tuple[int, int, int]:
        """Offset, size and CRC-32C of a row's media."""
        offset, size, crc, _ = self._record(row)
        return offset, size, crc

    def label(self, row: int) -> int:
        """The label of a row."""
        label = self._record(row)[3]
        return label if self._table is None else int(self._table[label])

    def records(self, rows: np.ndarray) -> np.ndarray:
        """The records of rows: int64 (k,) → (k,) of `INDEX_DTYPE`, labels as in the shard."""
        places = rows - self.start
        if self.gaps:
            places = places + np.searchsorted(np.array(self.gaps), places, "right")
        return self._all().take(places)  # several times as fast as [places] where items are records

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The labels of rows: int64 (k,) → int64 (k,)."""
        labels = self.records(rows)["label"].astype(np.int64, copy=False)
        return labels if self._table is None else self._table[labels]

    def _record(self, row: int) -> tuple[int, int, int, int]:
        place = self.place(row)
        if self.buffer is None and self._looks > 0:
            self._looks -= 1  # threads may miss one another's: it need not be exact
            return _unpack(self._sidecar.record(place))
        return _unpack(self._all().view(np.uint8).data, ROW.size * place)

    def _all(self) -> np.ndarray:
        rows = self._sidecar.array()
        if self.buffer is None:
            self.buffer = rows.view(np.uint8).data
        self.check()
        return rows


def open_index(
    sidecars: Sidecars, shard: dict[str, Any], start: int, gaps: np.ndarray | None, table: np.ndarray | None
) -> ShardIndex:
    """The index of a shard, verified.

    Args:
        sidecars: Where it is opened.
        shard: As in a span's manifest.
        start: As for `ShardIndex`; `gaps` and `table` too.

    Raises:
        CorruptionError: It is missing or damaged, or no index.
    """
    sidecar = sidecars.open(layout.index_path(shard["index_sha256"]), shard["index_sha256"], shard["samples"])
    if sidecar.head.dtype != INDEX_DTYPE:
        raise CorruptionError(f"index of shard {shard['sha256']}", expected=INDEX_DTYPE, got=sidecar.head.dtype)
    return ShardIndex(shard["sha256"], start, sidecar, gaps, table)


def label_table(source: list[str], target: list[str]) -> np.ndarray | None:
    """Label of a span → label of the dataset, by class name; of a class that the dataset has not: missing.

    Returns:
        int64 (len(source) + 1,), the last for -1; None if nothing changes.
    """
    if source == target:
        return None
    number = {name: i for i, name in enumerate(target)}
    return np.array([number.get(name, NO_LABEL) for name in source] + [NO_LABEL], np.int64)
