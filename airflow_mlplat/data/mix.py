"""Weighted sampling: how often each group of samples comes, as a pure function of seed, epoch and position.

An epoch gives each group its share of the positions, rounded up or down; which of the two is drawn for each epoch, by
systematic sampling (Madow 1949, "On the theory of systematic sampling, II"), so that over many epochs shares are exact.
The epoch is cut into blocks, and each of them holds every group's share of a block, rounded up or down, scattered over
the block. What a group gets is a shuffled order of its samples, and when that is used up another one: no sample comes
again before all of its group came. All of it can be computed at any position, so a state is still one number.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

import numpy as np

from airflow_mlplat.data.order import ROUNDS, half_bits, permute, permute_each, round_keys
from airflow_mlplat.errors import DataError, SpecError

ALGORITHM = "mix-v2"
"""Named in every state of an order that is drawn so: other draws are another algorithm."""
BLOCK = 4096
"""Positions that a block has at most, give or take a few: so few that shares hold in each stretch of an epoch."""


class Mix:
    """Groups of rows, and how often each is to come.

    Args:
        groups: int64 arrays of rows, none empty.
        weights: Of each group, above 0; only their proportions count.
        positions: How many an epoch has, 1 or more.

    Raises:
        SpecError: There are no groups, or weights are not positive numbers, one for each.
        DataError: A group is empty.
    """

    def __init__(self, groups: list[np.ndarray], weights: list[float], positions: int) -> None:
        if not groups or len(weights) != len(groups):
            raise SpecError("a mix needs groups, with a weight each", got=f"{len(groups)} and {len(weights)} weights")
        if not all(isinstance(weight, (int, float)) and 0 < weight < float("inf") for weight in weights):
            raise SpecError("weights must be positive numbers", got=weights)
        for number, rows in enumerate(groups):
            if not len(rows):
                raise DataError(f"group {number} of a mix has no samples", expected="1 or more", got=0)
        self._rows = np.concatenate(groups).astype(np.int64)
        self._sizes = np.array([len(rows) for rows in groups], np.int64)
        self._starts = np.cumsum(self._sizes) - self._sizes
        self._halves = np.array([half_bits(len(rows)) for rows in groups], np.uint64)
        # An iterator is at one epoch, and looks ahead into the next one.
        self._epoch = lru_cache(maxsize=2)(lambda *key: _Epoch(weights, positions, *key))

    def rows(self, positions: np.ndarray, seed: int, epoch: int, manifest: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows at positions of an epoch, and how often each came before in the epoch.

        Args:
            positions: int64 (m,), each in [0, positions of an epoch).
            seed: Any integer.
            epoch: From 0.
            manifest: Digest of the manifest.

        Returns:
            rows int64 (m,), turns int64 (m,).
        """
        groups, before = self._epoch(seed, epoch, manifest).at(np.asarray(positions, np.int64))
        sizes = self._sizes[groups]
        turns, index = np.divmod(before, sizes)
        orders, which = np.unique(np.stack([groups, turns], 1), axis=0, return_inverse=True)
        drawn = [round_keys(seed, epoch, f"{manifest} group {g} turn {t}") for g, t in orders.tolist()]
        keys = np.array(drawn, np.uint64).reshape(-1, ROUNDS)[which.ravel()]
        index = permute_each(index, sizes, self._halves[groups], keys.T)
        return self._rows[self._starts[groups] + index], turns


class _Epoch:
    """Which group each position of an epoch is of.

    Of the `quota` of a group, (block * quota + start) // blocks come before a block: so every block has its share,
    rounded up or down, and all blocks together have the quota. Where in an epoch a group is rounded up follows from
    its start in [0, blocks); starts are spread evenly, so that blocks are about equally long.
    """

    def __init__(self, weights: list[float], positions: int, seed: int, epoch: int, manifest: str) -> None:
        self._key = seed, epoch
        self._manifest = manifest
        self._blocks = -(-positions // BLOCK)
        self._quotas = quotas(weights, positions, f"{manifest}\n{seed}\n{epoch}")
        spread = permute(np.arange(len(weights)), len(weights), seed, epoch, f"{manifest} starts")
        self._starts = spread * self._blocks // len(weights)
        self._block = lru_cache(maxsize=2)(self._scattered)  # batches come one after the other

    def at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Groups at positions, int64 (m,), and how many positions of the same group come before each, int64 (m,)."""
        groups, before = np.empty_like(positions), np.empty_like(positions)
        missing = np.ones(len(positions), bool)
        while missing.any():
            first, of, earlier = self._block(self._block_of(int(positions[missing].min())))
            inside = (positions >= first) & (positions < first + len(of))
            slots = positions[inside] - first
            groups[inside], before[inside] = of[slots], earlier[slots]
            missing &= ~inside
        return groups, before

    def _before(self, block: int) -> np.ndarray:
        """How many positions of each group come before a block: int64 (groups,)."""
        return (block * self._quotas + self._starts) // self._blocks

    def _block_of(self, position: int) -> int:
        """The last block that begins at a position or before it, of those that are not empty."""
        low, high = 0, self._blocks
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if int(self._before(middle).sum()) <= position else (low, middle)
        return low

    def _scattered(self, block: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Where a block begins; and of each of its positions the group, and how many of that group come before it."""
        before = self._before(block)
        counts = self._before(block + 1) - before
        ends = np.cumsum(counts)
        size = int(ends[-1])
        scattered = permute(np.arange(size), size, *self._key, f"{self._manifest} block {block}")
        of = np.searchsorted(ends, scattered, side="right")
        earlier = np.empty_like(of)
        by_group = np.argsort(of, kind="stable")
        earlier[by_group] = np.arange(size) + (before - ends + counts)[of[by_group]]
        return int(before.sum()), of, earlier


def quotas(weights: list[float], positions: int, key: str) -> np.ndarray:
    """Whole numbers in the proportions of weights, each rounded up or down: int64 (len(weights),).

    Over all keys, each is on average just its share.

    Args:
        weights: Positive.
        positions: Their sum, 0 or more.
        key: Which are rounded up follows from it.
    """
    exact = list(map(Fraction, weights))  # sums of floats depend on their order
    unit = max(weight.denominator for weight in exact)  # powers of two, so all others divide it
    ends = list(accumulate(int(weight * unit) for weight in exact))
    drawn = int.from_bytes(hashlib.blake2b(f"{ALGORITHM}\n{key}".encode(), digest_size=8).digest(), "big")
    shift = drawn * ends[-1] >> 64
    marks = [(end * positions + shift) // ends[-1] for end in [0, *ends]]
    return np.diff(np.array(marks, np.int64))
