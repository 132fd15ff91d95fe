"""The batches that stages work on: how the data iterator is asked for them."""

from __future__ import annotations

from airflow_mlplat.data import BatchIterator, SampleSource, Subset
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.stages.job import Job
from airflow_mlplat.stages.options import TrainOptions


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """How many batches `training_batches` gives in an epoch: whole ones, or one smaller one if there is none."""
    return max(1, samples // batch_size)


def stream_of(job: Job, samples: Subset, options: TrainOptions) -> StreamOptions | None:
    """How a training's batches are shared with others on the host; None if they are not."""
    if options.shared_by == 1 or job.host is None:
        return None
    return StreamOptions(job.host.streams, job.store.url, samples.rows, job.host, consumers=options.shared_by)


def training_batches(
    samples: SampleSource, options: TrainOptions, epochs: int | None = None, stream: StreamOptions | None = None
) -> BatchIterator | SharedIterator:
    """All epochs' batches, in the order of seed and epoch.

    An epoch's last batch is left out if it is smaller, so that all steps count the same; the order of the next epoch
    is another, so other samples are left out. A dataset smaller than a batch is one smaller batch.
    """
    how = options.batches(drop_remainder=len(samples) >= options.batch_size)
    epochs = epochs or options.epochs
    return BatchIterator(samples, how, epochs) if stream is None else SharedIterator(samples, how, epochs, stream)


def epoch_batches(
    samples: SampleSource, options: TrainOptions, epoch: int, stream: StreamOptions | None = None
) -> BatchIterator | SharedIterator:
    """The same batches, of one epoch, 0, 1, …."""
    iterator = training_batches(samples, options, epoch + 1, stream)
    iterator.set_state({**iterator.get_state(), "epoch": epoch, "position": 0})
    return iterator


def in_order(samples: SampleSource, options: TrainOptions, batch_size: int) -> BatchIterator:
    """All samples once, in their own order, made as in training but not augmented; the last batch may be smaller."""
    plain = options.batches(batch_size=batch_size, shuffle=False, window=0, augment=(), sampling=None)
    return BatchIterator(samples, plain)
