"""The order of samples that options ask for: which rows come at which positions of an epoch."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from airflow_mlplat.data import mix, order
from airflow_mlplat.data.mix import Mix
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.order import permute
from airflow_mlplat.data.sampling import mix_of
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.data.window import WindowedOrder

_NO_SHARDS = np.empty(0, np.int64)


class Order(Protocol):
    """A pure function of epoch and position."""

    def rows(self, positions: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows at positions, int64 (m,) of int64 (m,), and how often each came before in the epoch, int64 (m,)."""

    def shards_ahead(self, epoch: int, position: int) -> np.ndarray:
        """Which shards the epoch needs from a position on, in that order: int64; none if it needs all at once."""


def order_of(samples: SampleSource, options: IteratorOptions) -> Order:
    """The order that options ask for.

    Raises:
        SpecError, DataError: `sampling` asks for what the samples do not have.
    """
    if options.sampling is not None:
        return _Weighted(mix_of(samples, options.sampling), options.seed, samples.ref.digest)
    if not options.shuffle:
        return _AsStored()
    return (_Windowed if options.window else _Shuffled)(samples, options)


def algorithm(options: IteratorOptions) -> str:
    """What the order is called in states: one that gives other rows has another name."""
    if not options.shuffle:
        return "manifest"
    return order.ALGORITHM if options.sampling is None else f"{order.ALGORITHM} {mix.ALGORITHM}"


class _AsStored:
    def rows(self, positions: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return positions, np.zeros(len(positions), np.int64)

    def shards_ahead(self, epoch: int, position: int) -> np.ndarray:
        return _NO_SHARDS


class _Shuffled(_AsStored):
    def __init__(self, samples: SampleSource, options: IteratorOptions) -> None:
        self._n, self._seed, self._manifest = len(samples), options.seed, samples.ref.digest

    def rows(self, positions: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return super().rows(permute(positions, self._n, self._seed, epoch, self._manifest), epoch)


class _Windowed(_AsStored):
    def __init__(self, samples: SampleSource, options: IteratorOptions) -> None:
        key = (samples.shard_ends, options.window, options.seed)
        # The epoch that is read, and the one after it, whose shards are told of ahead.
        self._of = lru_cache(maxsize=2)(lambda epoch: WindowedOrder(*key, epoch, samples.ref.digest))

    def rows(self, positions: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return super().rows(self._of(epoch).rows(positions), epoch)

    def shards_ahead(self, epoch: int, position: int) -> np.ndarray:
        return self._of(epoch).shards_ahead(position)


class _Weighted(_AsStored):
    def __init__(self, mix: Mix, seed: int, manifest: str) -> None:
        self._mix, self._seed, self._manifest = mix, seed, manifest

    def rows(self, positions: np.ndarray, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        return self._mix.rows(positions, self._seed, epoch, self._manifest)
