"""The processes that do one job together: which of them this is, and what they tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Workers:
    """The workers of a job, as one of them sees them.

    Args:
        rank: This one's number, 0 … count - 1. Worker 0 alone writes checkpoints and puts what was made.
        addresses: (host, port) of all in their order; a host is an IPv4 address. None for one alone.
        checkpoints: Where worker 0's checkpoints are to be read; None for worker 0, which has them itself.
    """

    rank: int = 0
    addresses: tuple[tuple[str, int], ...] = ()
    checkpoints: Path | None = None

    @property
    def count(self) -> int:
        """How many there are."""
        return max(1, len(self.addresses))


ONE_WORKER = Workers()
"""A job as most are."""


class Group(Protocol):
    """How the trainers of all workers work on one model. All of them call the same methods in the same order.

    Attributes:
        workers: They, and which this is.
    """

    workers: Workers

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over all workers, float64 (n,) of float64 (n,): the same bits in each of them."""

    def leave(self) -> None:
        """Part from the others, once nothing is left to be computed together."""


class Alone:
    """The group of a job that one process does."""

    workers = ONE_WORKER

    def total(self, values: np.ndarray) -> np.ndarray:
        """The values themselves."""
        return values

    def leave(self) -> None:
        """Nobody is left."""


def gathered(group: Group, value: float) -> list[float]:
    """Each worker's value, in their order, where every worker gives its own."""
    values = np.zeros(group.workers.count)
    values[group.workers.rank] = value
    return group.total(values).tolist()
