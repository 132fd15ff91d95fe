"""Some rows of samples, as samples: what a server reads for trainers that train on a part of a dataset."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data.source import SampleSource


class Rows:
    """The samples at some positions of others.

    Args:
        samples: All.
        rows: int64 (n,), each in [0, len(samples)), ascending.
    """

    def __init__(self, samples: SampleSource, rows: np.ndarray) -> None:
        self._samples, self._rows = samples, rows

    @property
    def ref(self) -> Ref:
        """The span or dataset that they are of."""
        return self._samples.ref

    @property
    def classes(self) -> list[str]:
        """Names of all classes."""
        return self._samples.classes

    @property
    def shard_ends(self) -> np.ndarray:
        """int64 (S,): how many of the rows there are up to the end of each shard."""
        return np.searchsorted(self._rows, self._samples.shard_ends)

    @property
    def span_ends(self) -> np.ndarray:
        """int64 (P,): how many of the rows there are up to the end of each span."""
        return np.searchsorted(self._rows, self._samples.span_ends)

    def __len__(self) -> int:
        return len(self._rows)

    def labels_at(self, rows: np.ndarray) -> np.ndarray:
        """Labels: int64 (m,) of int64 (m,)."""
        return self._samples.labels_at(self._rows[rows])

    def will_read(self, shards: np.ndarray) -> None:
        """A hint: which shards, int64 (m,), will be read next."""
        self._samples.will_read(shards)

    def key(self, row: int) -> str:
        """The key of one sample."""
        return self._samples.key(int(self._rows[row]))

    def media(self, row: int) -> bytes:
        """The media bytes of one sample, checked."""
        return self._samples.media(int(self._rows[row]))
