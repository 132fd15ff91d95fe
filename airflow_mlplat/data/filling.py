"""Making batches in threads: read, decode, fit, augment, straight into the batch's memory."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from airflow_mlplat.data.augment import Augmentation
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.decode import read_image
from airflow_mlplat.data.fit import fitted
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.plan import Round
from airflow_mlplat.data.pool import Allocate, BatchPool
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.errors import MlplatError, PlatformError


class Filler:
    """Makes the batches of planned rounds. Knows nothing of the iterator, so threads do not keep that alive.

    Args:
        samples: To be read.
        options: How batches are made.
        allocate: Where the memory of images comes from.
    """

    def __init__(self, samples: SampleSource, options: IteratorOptions, allocate: Allocate) -> None:
        self._samples, self._options = samples, options
        self._augmentation = Augmentation(options.augment, options.shape, options.seed) if options.augment else None
        self._own = _Own(options.shape)
        # Those that wait, the one that the caller has, and the one that it lets go of late.
        self._pool = BatchPool((options.batch_size, *options.shape), options.prefetch + 2, allocate)

    def start(self, threads: ThreadPoolExecutor, planned: Round) -> Pending:
        """Begin to make a batch."""
        size = max(1, -(-len(planned.rows) // self._options.threads))
        starts = range(0, len(planned.rows), size)
        # A rank without samples in an epoch's last round still gets a batch, of none.
        parts = [range(start, min(start + size, len(planned.rows))) for start in starts] or [range(0)]
        pending = Pending(planned, self._pool.take()[: len(planned.rows)], len(parts))
        pending.parts = [threads.submit(self._fill, pending, part) for part in parts]
        return pending

    def _fill(self, pending: Pending, part: range) -> None:
        planned = pending.planned
        rows, turns = planned.rows.tolist(), planned.turns.tolist()
        drawn = rows if self._augmentation is None else self._samples.manifest_rows(planned.rows).tolist()
        for index in part:
            try:
                image = read_image(self._samples.media(rows[index]), self._options.shape[2], self._options.decoder)
                self._put(image, pending.images[index], (planned.epoch, drawn[index], turns[index]))
            except Exception as error:
                named = _named(error, self._samples.key(rows[index]))
                if named is error:  # which must not become its own cause
                    raise
                raise named from error
        if pending.was_last():
            pending.batch = self._finished(planned, pending.images)

    def _put(self, image: np.ndarray, target: np.ndarray, draws: tuple[int, int, int]) -> None:
        """Fit and augment an image, which draws by (epoch, row of the manifest, turn)."""
        options, augmentation = self._options, self._augmentation
        if augmentation is None:
            fitted(image, options.shape, options.resize, options.fit, out=target)
            return
        if not augmentation.window_first:
            image = fitted(image, options.shape, options.resize, options.fit, out=self._own.image)
        target[...] = augmentation.image(image, *draws)

    def _finished(self, planned: Round, images: np.ndarray) -> Batch:
        labels, mixed = self._samples.labels_at(planned.rows), None
        if self._augmentation is not None:
            rows = self._samples.manifest_rows(planned.rows)
            mixed = self._augmentation.batch(images, labels, rows, planned.epoch, planned.turns)
        return Batch(images, labels, planned.rows, planned.epoch, planned.position, mixed)


class _Own(threading.local):
    """Memory of a thread that images are fitted into before they are augmented: it stays in the processor's cache."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.image = np.empty(shape, np.uint8)


class Pending:
    """A batch that is being made, by whichever thread ends its last part.

    Args:
        planned: What it is made of.
        images: Where its images go.
        parts: How many.
    """

    def __init__(self, planned: Round, images: np.ndarray, parts: int) -> None:
        self.planned, self.images = planned, images
        self.parts: list[Future[None]] = []
        self.batch: Batch | None = None
        self._left, self._lock = parts, threading.Lock()

    def was_last(self) -> bool:
        """Tell that a part is done; whether all are."""
        with self._lock:
            self._left -= 1
            return self._left == 0

    def wait(self) -> Batch:
        """The batch.

        Raises:
            MlplatError: A sample cannot be read or decoded; names its key.
        """
        for part in self.parts:  # in order: which of several errors is told does not depend on the threads
            part.result()
        if self.batch is None:
            raise PlatformError("a batch was not made, though all of its samples were")
        return self.batch


def _named(error: Exception, key: str) -> MlplatError:
    """The error, of the same class if it is one of ours, with the sample's key."""
    if not isinstance(error, MlplatError):
        return PlatformError(f"sample {key!r} cannot be read", got=f"{type(error).__name__}: {error}")
    if repr(key) in error.what:
        return error
    return type(error)(f"sample {key!r}: {error.what}", expected=error.expected, got=error.got, fix=error.fix)
