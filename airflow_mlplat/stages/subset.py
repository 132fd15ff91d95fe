"""Some of the samples of a span or dataset, and which ones are held out of training."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from airflow_mlplat.contract import Ref
    from airflow_mlplat.store import Samples


class Subset:
    """Rows of samples, as samples: what the iterator takes.

    Args:
        samples: All.
        rows: Positions of those to take, int64 (n,).
    """

    def __init__(self, samples: Samples, rows: np.ndarray) -> None:
        self._samples, self._rows = samples, rows
        self.labels: np.ndarray = samples.labels[rows]

    @property
    def ref(self) -> Ref:
        """The span or dataset that they are of."""
        return self._samples.ref

    @property
    def classes(self) -> list[str]:
        """Names of all classes."""
        return self._samples.classes

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, position: int) -> str:
        """The key of one sample."""
        return self._samples.key(int(self._rows[position]))

    def media(self, position: int) -> bytes:
        """The media bytes of one sample, checked."""
        return self._samples.media(int(self._rows[position]))


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
