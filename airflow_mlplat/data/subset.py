"""Some of the samples of a span or dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.errors import SpecError
from airflow_mlplat.store.rows import row_numbers


class Subset:
    """Rows of samples, as samples.

    Args:
        samples: All.
        rows: Which of them, int64 (n,), ascending, in [0, len(samples)).

    Raises:
        SpecError: The rows are a mask or do not ascend, or there are no such samples.
    """

    def __init__(self, samples: SampleSource, rows: np.ndarray) -> None:
        if np.asarray(rows).dtype == bool:
            raise SpecError("rows of a subset are a mask", expected="whole numbers", fix="give np.flatnonzero(mask)")
        try:
            self._samples, self.rows = samples, row_numbers(rows, len(samples))
        except IndexError as error:
            told = f"0 to {len(samples) - 1}"
            raise SpecError("rows of a subset are not among the samples", expected=told, got=error) from error
        if (self.rows[1:] <= self.rows[:-1]).any():
            raise SpecError("rows of a subset do not ascend", expected="each once, in order", fix="sort them")

    @property
    def ref(self) -> Ref:
        """The span or dataset that they are of."""
        return self._samples.ref

    @property
    def classes(self) -> list[str]:
        """Names of all classes."""
        return self._samples.classes

    @cached_property
    def rows_digest(self) -> str:
        """SHA-256 of which rows of the manifest they are."""
        return hashlib.sha256(self._samples.manifest_rows(self.rows).astype("<i8").tobytes()).hexdigest()

    @cached_property
    def shard_ends(self) -> np.ndarray:
        """int64 (S,), ascending: how many of them there are up to the end of each shard."""
        return self._ends(self._samples.shard_ends)

    @cached_property
    def span_ends(self) -> np.ndarray:
        """int64 (P,), ascending: how many of them there are up to the end of each span."""
        return self._ends(self._samples.span_ends)

    def manifest_rows(self, rows: np.ndarray) -> np.ndarray:
        """Rows as positions in the manifest: int64 (m,) of int64 (m,)."""
        return self._samples.manifest_rows(self._rows(rows))

    def labels_at(self, rows: np.ndarray) -> np.ndarray:
        """The labels of some: int64 (m,) in [0, n) → int64 (m,), -1 where missing."""
        return self._samples.labels_at(self._rows(rows))

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, row: int) -> str:
        """The key of one sample."""
        return self._samples.key(self._row(row))

    def media(self, row: int) -> bytes:
        """The media bytes of one sample, checked."""
        return self._samples.media(self._row(row))

    def media_of(self, rows: np.ndarray) -> Iterator[bytes]:
        """The media bytes of many samples, int64 (m,) in [0, n), one after the other: as `Samples.media_of`."""
        return self._samples.media_of(self._rows(rows))

    def will_read(self, shards: np.ndarray) -> None:
        """Tell the samples which shards, int64 (m,), will be read next, in that order."""
        self._samples.will_read(shards)

    def _rows(self, rows: np.ndarray) -> np.ndarray:
        return self.rows[row_numbers(rows, len(self.rows))]

    def _row(self, row: int) -> int:
        if not 0 <= row < len(self.rows):
            raise IndexError(f"row {row} of {len(self.rows)} samples")
        return int(self.rows[row])

    def _ends(self, ends: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.rows, ends).astype(np.int64)
