"""Which rows one rank is given, batch by batch: a pure function of options and position.

A round is one batch of every rank. With n ranks a round takes the next batch_size · n positions of the epoch's order,
of which rank r takes the positions first + k·n + r; so the ranks together always follow the order of one. An epoch's
last round may have fewer: its positions are dealt to the ranks in turn just the same, so every rank gets as many
batches as the others, those of the last round may differ by one sample, and when there are fewer positions than
ranks the last ranks' are empty. `drop_remainder` leaves that round out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.orders import Order

EPOCHS = 1 << 62
"""More than anybody waits for: no epoch has this number."""
CHUNK = 16_384
"""Positions of one rank whose rows are found at once: one call for each batch takes ten times as long."""


@dataclass(frozen=True, eq=False)
class Round:
    """One batch to be made.

    Args:
        epoch: From 0.
        position: Samples of the epoch that all ranks have been given after it.
        rows: int64 (m,), of this rank.
        turns: int64 (m,): how often each row came before in the epoch; 0 without `sampling`.
    """

    epoch: int
    position: int
    rows: np.ndarray
    turns: np.ndarray


def next_epoch(n: int, options: IteratorOptions, epoch: int, position: int) -> tuple[int, int]:
    """(epoch, position) where the next round begins: the same, or the next epoch's start if none is left in this."""
    return (epoch + 1, 0) if _last(n, options, position) <= position else (epoch, position)


def rounds(n: int, order: Order, options: IteratorOptions, epoch: int, position: int) -> Iterator[Round]:
    """The rest of an epoch's rounds.

    Args:
        n: Samples in an epoch.
        order: Of the samples.
        options: How batches are made.
        epoch: From 0.
        position: How many samples of the epoch all ranks together have been given.
    """
    stride = options.batch_size * options.shard_count
    last = _last(n, options, position)
    batches = 1  # few at first, so that a pass that begins in mid-epoch gives its first batch at once
    start = position
    while start < last:
        stop = min(start + stride * batches, last)
        rows, turns = order.rows(
            np.arange(start + options.shard_index, stop, options.shard_count, dtype=np.int64), epoch
        )
        for i, first in enumerate(range(start, stop, stride)):
            own = slice(i * options.batch_size, (i + 1) * options.batch_size)
            yield Round(epoch, min(first + stride, last), rows[own].copy(), turns[own].copy())
        start, batches = stop, min(4 * batches, max(1, CHUNK // options.batch_size))


def _last(n: int, options: IteratorOptions, position: int) -> int:
    """The position after the last round of the epoch."""
    stride = options.batch_size * options.shard_count
    return n - (n - position) % stride if options.drop_remainder else n
