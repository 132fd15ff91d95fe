"""Some of the samples of a span or dataset, and which ones are held out of training."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from airflow_mlplat.errors import SpecError

if TYPE_CHECKING:
    from airflow_mlplat.contract import Ref
    from airflow_mlplat.store import Samples


class Subset:
    """Rows of samples, as samples: what the iterator takes.

    Args:
        samples: All.
        rows: Which of them, int64 (n,), ascending.

    Raises:
        SpecError: The rows do not ascend.
    """

    def __init__(self, samples: Samples, rows: np.ndarray) -> None:
        self._samples, self._rows = samples, np.asarray(rows, np.int64)
        if (self._rows[1:] <= self._rows[:-1]).any():
            raise SpecError("rows of a subset do not ascend", fix="sort them, each once")

    @property
    def ref(self) -> Ref:
        """The span or dataset that they are of."""
        return self._samples.ref

    @property
    def classes(self) -> list[str]:
        """Names of all classes."""
        return self._samples.classes

    @property
    def partitions(self) -> list[str]:
        """Of each span, in order."""
        return self._samples.partitions

    @cached_property
    def shard_ends(self) -> np.ndarray:
        """int64 (S,), ascending: how many of them there are up to the end of each shard."""
        return self._ends(self._samples.shard_ends)

    @cached_property
    def span_ends(self) -> np.ndarray:
        """int64 (P,), ascending: how many of them there are up to the end of each span."""
        return self._ends(self._samples.span_ends)

    @cached_property
    def labels(self) -> np.ndarray:
        """All labels: int64 (n,), -1 where missing. Read at the first use."""
        return self._samples.labels_at(self._rows)

    def labels_at(self, rows: np.ndarray) -> np.ndarray:
        """The labels of some: int64 (m,) in [0, n) → int64 (m,), -1 where missing."""
        return self._samples.labels_at(self._rows[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> str:
        """The key of one sample."""
        return self._samples.key(int(self._rows[row]))

    def media(self, row: int) -> bytes:
        """The media bytes of one sample, checked."""
        return self._samples.media(int(self._rows[row]))

    def will_read(self, shards: np.ndarray) -> None:
        """Tell the samples which shards, int64 (m,), will be read next, in that order."""
        self._samples.will_read(shards)

    def _ends(self, ends: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._rows, ends).astype(np.int64)


def held_out(keys: np.ndarray, fraction: float) -> np.ndarray:
    """Which samples are held out: those whose key's SHA-256, as a share of all digests, is below the fraction.

    A sample is held out or not whatever else is in the dataset, so a window that moves on never trains on a sample
    that an earlier model was measured on.

    Args:
        keys: (n,) of dtype S.
        fraction: 0 to 1.

    Returns:
        bool (n,).
    """
    if not fraction:
        return np.zeros(len(keys), bool)
    shares = [int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2.0**64 for key in keys.tolist()]
    return np.array(shares) < fraction
