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
from typing import Callable

import numpy as np

from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.order import permute
from airflow_mlplat.data.sampling import mix_of
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.data.window import WindowedOrder

CHUNK = 16_384
"""Positions of one rank whose rows are found at once: one call for each batch takes ten times as long."""

Order = Callable[[np.ndarray, int], "tuple[np.ndarray, np.ndarray]"]
"""(positions int64 (m,), epoch) → rows int64 (m,), and how often each came before in the epoch, int64 (m,)."""


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


def order_of(samples: SampleSource, options: IteratorOptions) -> Order:
    """What an epoch's order is.

    Raises:
        SpecError, DataError: `sampling` asks for what the samples do not have.
    """
    n, manifest, seed = len(samples), samples.ref.digest, options.seed
    if options.sampling is not None:
        mix = mix_of(samples, options.sampling)
        return lambda positions, epoch: mix.rows(positions, seed, epoch, manifest)
    if not options.shuffle:
        return lambda positions, epoch: _once(positions)
    if not options.window:
        return lambda positions, epoch: _once(permute(positions, n, seed, epoch, manifest))
    ends, window = samples.shard_ends, options.window
    return lambda positions, epoch: _once(WindowedOrder(ends, window, seed, epoch, manifest).rows(positions))


def shards_ahead(samples: SampleSource, options: IteratorOptions, epoch: int, position: int) -> np.ndarray:
    """Which shards an epoch needs from a position on, in that order: int64; none where the order is not windowed."""
    if not options.window:
        return np.empty(0, np.int64)
    order = WindowedOrder(samples.shard_ends, options.window, options.seed, epoch, samples.ref.digest)
    window = int(order.shards_at(np.array([position]))[0]) // options.window
    return order.shards[window * options.window :]


def _once(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows, np.zeros(len(rows), np.int64)


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
        rows, turns = order(np.arange(start + options.shard_index, stop, options.shard_count, dtype=np.int64), epoch)
        for i, first in enumerate(range(start, stop, stride)):
            own = slice(i * options.batch_size, (i + 1) * options.batch_size)
            yield Round(epoch, min(first + stride, last), rows[own].copy(), turns[own].copy())
        start, batches = stop, min(4 * batches, max(1, CHUNK // options.batch_size))


def _last(n: int, options: IteratorOptions, position: int) -> int:
    """The position after the last round of the epoch."""
    stride = options.batch_size * options.shard_count
    return n - (n - position) % stride if options.drop_remainder else n
