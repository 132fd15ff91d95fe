"""The index of one shard, as rows of the samples that are left of it."""

from __future__ import annotations

import struct
from bisect import bisect_right
from typing import Any

import numpy as np

from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import layout
from airflow_mlplat.store.index import INDEX_DTYPE, NO_LABEL
from airflow_mlplat.store.sidecars import Sidecars

ROW = struct.Struct("<QIIq")
"""A row of `INDEX_DTYPE`, for one row at a time: a fifth of what an item of the array costs."""


class ShardIndex:
    """Where a shard's samples lie in it, and their labels. Shared between threads.

    Args:
        sha256: Of the shard.
        start: Row of its first sample that is left.
        rows: `INDEX_DTYPE` (m,), of all its samples.
        gaps: int64, as `shard_rows` gives them; None if no row is dropped.
        table: int64, label in the shard → label; its last entry is that of -1. None keeps them.
    """

    __slots__ = ("_rows", "_table", "buffer", "gaps", "sha256", "start")

    def __init__(
        self, sha256: str, start: int, rows: np.ndarray, gaps: np.ndarray | None, table: np.ndarray | None
    ) -> None:
        self.sha256, self.start, self._rows, self._table = sha256, start, rows, table
        self.gaps: list[int] = [] if gaps is None else gaps.tolist()
        self.buffer = rows.view(np.uint8).data
        """The bytes of the rows."""

    def place(self, row: int) -> int:
        """Which of the shard's samples, from 0, a row is."""
        place = row - self.start
        return place + bisect_right(self.gaps, place) if self.gaps else place

    def entry(self, row: int) -> tuple[int, int, int]:
        """Offset, size and CRC-32C of a row's media."""
        offset, size, crc, _ = ROW.unpack_from(self.buffer, ROW.size * self.place(row))
        return offset, size, crc

    def label(self, row: int) -> int:
        """The label of a row."""
        label = ROW.unpack_from(self.buffer, ROW.size * self.place(row))[3]
        return label if self._table is None else int(self._table[label])

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """The labels of rows: int64 (k,) → int64 (k,)."""
        places = rows - self.start
        if self.gaps:
            places = places + np.searchsorted(np.array(self.gaps), places, "right")
        labels = self._rows["label"][places].astype(np.int64, copy=False)
        return labels if self._table is None else self._table[labels]


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
    rows = sidecars.open(layout.index_path(shard["index_sha256"]), shard["index_sha256"], shard["samples"])
    if rows.dtype != INDEX_DTYPE:
        raise CorruptionError(f"index of shard {shard['sha256']}", expected=INDEX_DTYPE, got=rows.dtype)
    return ShardIndex(shard["sha256"], start, rows, gaps, table)


def label_table(source: list[str], target: list[str]) -> np.ndarray | None:
    """Label of a span → label of the dataset, by class name; of a class that the dataset has not: missing.

    Returns:
        int64 (len(source) + 1,), the last for -1; None if nothing changes.
    """
    if source == target:
        return None
    number = {name: i for i, name in enumerate(target)}
    return np.array([number.get(name, NO_LABEL) for name in source] + [NO_LABEL], np.int64)
