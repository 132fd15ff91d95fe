"""Weighted sampling: how often each group of samples comes, as a pure function of seed, epoch and position.

An epoch's positions are cut into blocks, of which the last may be shorter. In every block each group has a fixed
number of positions, its quota, which are scattered over the block. What a group gets is a shuffled order of its
samples, and when that is used up another one: no sample comes again before all of its group came. So shares are exact
in each block and in each epoch, not only on average, and a state is still one position.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from airflow_mlplat.data.order import permute
from airflow_mlplat.errors import DataError, SpecError

ALGORITHM = "mix-v2"
"""Named in every state of an order that is drawn so: other draws are another algorithm."""
BLOCK = 4096
"""Positions: shares are kept to half of one of them. Small enough to hold in each stretch of a training."""


class Mix:
    """Groups of rows, and how often each is to come.

    Args:
        groups: int64 arrays of rows, none empty.
        weights: Of each group, above 0; only their proportions count.
        positions: How many an epoch has, 1 or more.

    Raises:
        SpecError: Weights are not positive numbers, or there are more groups than positions in a block.
        DataError: A group is empty.
    """

    def __init__(self, groups: list[np.ndarray], weights: list[float], positions: int) -> None:
        if not groups or len(groups) > BLOCK or len(weights) != len(groups):
            raise SpecError(
                "too many or too few groups to draw from: each has one position at least in every block",
                expected=f"1 … {BLOCK} groups, with a weight each", got=f"{len(groups)} and {len(weights)} weights",
            )  # fmt: skip
        if not all(isinstance(weight, (int, float)) and 0 < weight < float("inf") for weight in weights):
            raise SpecError("weights must be positive numbers", got=weights)
        for number, rows in enumerate(groups):
            if not len(rows):
                raise DataError(f"group {number} of a mix has no samples", expected="1 or more", got=0)
        self.groups = [np.asarray(rows, np.int64) for rows in groups]
        self.quotas = quotas(weights, BLOCK)
        self._whole, rest = divmod(positions, BLOCK)
        self._last_quotas = quotas(weights, rest)

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
        blocks, slots = np.divmod(np.asarray(positions, np.int64), BLOCK)
        groups, before = np.empty_like(slots), np.empty_like(slots)
        for block in np.unique(blocks).tolist():
            inside = blocks == block
            of, earlier = self._block(block, seed, epoch, manifest)
            groups[inside], before[inside] = of[slots[inside]], earlier[slots[inside]]
        before += blocks * self.quotas[groups]
        rows, turns = np.empty_like(slots), np.empty_like(slots)
        for group in np.unique(groups).tolist():
            inside = groups == group
            rows[inside], turns[inside] = self._of_group(group, before[inside], seed, epoch, manifest)
        return rows, turns

    def _block(self, block: int, seed: int, epoch: int, manifest: str) -> tuple[np.ndarray, np.ndarray]:
        """Of each slot its group, and how many slots of the block before it are the group's."""
        its = self.quotas if block < self._whole else self._last_quotas
        ends = np.cumsum(its)
        size = int(ends[-1])
        scattered = permute(np.arange(size), size, seed, epoch, f"{manifest} block {block}")
        of = np.searchsorted(ends, scattered, side="right")
        earlier = np.empty_like(of)
        by_group = np.argsort(of, kind="stable")
        earlier[by_group] = np.arange(size) - (ends - its)[of[by_group]]
        return of, earlier

    def _of_group(
        self, group: int, before: np.ndarray, seed: int, epoch: int, manifest: str
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = self.groups[group]
        turns, index = np.divmod(before, len(rows))
        for turn in np.unique(turns).tolist():
            inside = turns == turn
            key = f"{manifest} group {group} turn {turn}"
            index[inside] = permute(index[inside], len(rows), seed, epoch, key)
        return rows[index], turns


def quotas(weights: list[float], positions: int) -> np.ndarray:
    """Whole numbers in the proportions of weights (largest remainders): int64 (len(weights),).

    At least 1 each where there are positions enough, so that no group is left out; else the heaviest get one.

    Args:
        weights: Positive.
        positions: Their sum, 0 or more.
    """
    total = sum(map(Fraction, weights))  # exact: sums of floats depend on their order
    shares = [Fraction(weight) * positions / total for weight in weights]
    whole = [int(share) for share in shares]
    by_remainder = sorted(range(len(weights)), key=lambda i: (whole[i] - shares[i], i))
    for i in by_remainder[: positions - sum(whole)]:
        whole[i] += 1
    for i, quota in enumerate(whole):
        if not quota and max(whole) > 1:
            whole[whole.index(max(whole))] -= 1
            whole[i] = 1
    return np.array(whole, np.int64)
