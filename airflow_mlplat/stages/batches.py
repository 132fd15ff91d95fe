"""The batches that stages work on: how the data iterator is asked for them."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType

from airflow_mlplat.data import Batch, BatchIterator, SampleSource
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.stages.job import Job
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.workers import ONE_WORKER, Workers

_NO_END = 1 << 31
"""Epochs, for a loop that goes on beyond those of its options."""


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """How many batches `training_batches` gives in an epoch: whole ones, or one smaller one if there is none."""
    return max(1, samples // batch_size)


def stream_of(job: Job, options: TrainOptions) -> StreamOptions | None:
    """How a training's batches are shared with others on the host; None if they are not."""
    if options.shared_by == 1 or job.host is None:
        return None
    return StreamOptions(job.host.streams, job.store.url, job.host, consumers=options.shared_by)


def training_batches(
    samples: SampleSource,
    options: TrainOptions,
    epochs: int | None = None,
    stream: StreamOptions | None = None,
    workers: Workers = ONE_WORKER,
) -> BatchIterator | SharedIterator:
    """All epochs' batches, in the order of seed and epoch; of several workers, this one's shares of them.

    An epoch's last batch is left out if it is smaller, so that all steps count the same; the order of the next epoch
    is another, so other samples are left out. A dataset smaller than a batch is one smaller batch.
    """
    how = options.batches(drop_remainder=len(samples) >= options.batch_size, **_share(options.batch_size, workers))
    epochs = epochs or options.epochs
    return BatchIterator(samples, how, epochs) if stream is None else SharedIterator(samples, how, epochs, stream)


class EpochBatches:
    """The same batches, of whichever epoch is asked for, even of several at a time.

    An iterator whose pass is over serves the next one too, so that a stream is joined, and others waited for, once.

    Args:
        samples, options, stream: As of `training_batches`.
    """

    def __init__(self, samples: SampleSource, options: TrainOptions, stream: StreamOptions | None = None) -> None:
        self._samples, self._options, self._stream = samples, options, stream
        self._idle: dict[int, BatchIterator | SharedIterator] = {}  # epochs that it has → one that is not in use

    def __enter__(self) -> EpochBatches:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for iterator in self._idle.values():
            iterator.close()
        self._idle.clear()

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, 0, 1, …."""
        epochs = self._options.epochs if epoch < self._options.epochs else _NO_END
        iterator = self._idle.pop(epochs, None)
        if iterator is None:
            iterator = training_batches(self._samples, self._options, epochs, self._stream)
        try:
            iterator.set_state({**iterator.get_state(), "epoch": epoch, "position": 0})
            yield from iterator.epoch()
        finally:
            if self._idle.setdefault(epochs, iterator) is not iterator:
                iterator.close()


def in_order(
    samples: SampleSource,
    options: TrainOptions,
    batch_size: int,
    workers: Workers = ONE_WORKER,
    *,
    epochs: int | None = 1,
) -> BatchIterator:
    """All samples in their own order, made as in training but not augmented; of several workers, this one's.

    The last batch may be smaller; that of a worker may even be empty. Each epoch is the same; with more than one they
    are decoded once if they fit into memory.
    """
    share = _share(batch_size, workers)
    plain = options.batches(**share, shuffle=False, window=0, augment=(), sampling=None)
    return BatchIterator(samples, plain, epochs)


def _share(batch_size: int, workers: Workers) -> dict[str, int]:
    """What the iterator is told of a worker's share: the k-th batches of all of them are the k-th of one alone."""
    return {"batch_size": batch_size // workers.count, "shard_index": workers.rank, "shard_count": workers.count}
