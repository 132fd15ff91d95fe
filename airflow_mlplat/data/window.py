"""The order of samples that lie far away: shuffled within windows of a few shards, so that few are needed at a time.

The shards of a manifest are permuted, each W that follow each other are a window, and the samples of a window are
permuted among themselves. As in the order over all, a row is found in O(1) from its position; O(shards) are kept.
"""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data.order import permute


class WindowedOrder:
    """The order of one epoch.

    Args:
        shard_ends: int64 (S,), ascending: how many samples there are up to the end of each shard.
        window: Shards in a window, from 1.
        seed: Any integer.
        epoch: From 0.
        manifest: Digest of the manifest.

    Attributes:
        shards: int64 (S,): the shards in the order in which they are needed; the last window may be smaller.
    """

    def __init__(self, shard_ends: np.ndarray, window: int, seed: int, epoch: int, manifest: str) -> None:
        count = len(shard_ends)
        sizes = np.diff(shard_ends, prepend=0)
        self.shards = permute(np.arange(count), count, seed, epoch, f"{manifest} shards")
        self._starts = (np.asarray(shard_ends, np.int64) - sizes)[self.shards]
        self._ends = np.cumsum(sizes[self.shards])  # of each shard, in positions
        self._window, self._key = window, (seed, epoch, manifest)

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """Rows at positions of the epoch's order: int64 (m,) of int64 (m,), each in [0, n)."""
        rows = np.empty(len(positions), np.int64)
        windows = self.shards_at(positions) // self._window
        for window in np.unique(windows).tolist():
            inside = windows == window
            rows[inside] = self._within(window, positions[inside])
        return rows

    def shards_at(self, positions: np.ndarray) -> np.ndarray:
        """Which shard, counted in the order of `shards`, ends after each position: int64 (m,)."""
        return np.searchsorted(self._ends, positions, side="right")

    def shards_ahead(self, position: int) -> np.ndarray:
        """The shards of the window that a position lies in and of those after it, as they are needed: int64."""
        window = int(self.shards_at(np.array([position]))[0]) // self._window
        return self.shards[window * self._window :]

    def _within(self, window: int, positions: np.ndarray) -> np.ndarray:
        first, last = window * self._window, min((window + 1) * self._window, len(self._ends))
        start = self._ends[first - 1] if first else 0
        seed, epoch, manifest = self._key
        size = int(self._ends[last - 1] - start)
        shuffled = permute(positions - start, size, seed, epoch, f"{manifest} window {window}") + start
        shard = self.shards_at(shuffled)
        before = np.where(shard > 0, self._ends[shard - 1], 0)
        return self._starts[shard] + (shuffled - before)
