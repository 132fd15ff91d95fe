"""Making batches in threads: read, decode, fit, augment, straight into the batch's memory; or from what was kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np

from airflow_mlplat.data.augment import Augmentation
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.decode import read_image
from airflow_mlplat.data.fit import fitted
from airflow_mlplat.data.kept import Kept
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.plan import Round
from airflow_mlplat.data.pool import Allocate, BatchPool
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.errors import MlplatError, PlatformError

SMALL_BYTES = 1 << 20
"""A batch of images that were kept, and are not augmented, is copied by who asks for it if it has no more bytes than
this: to wake threads costs more than the copy, about 0.1 ms."""


class Filler:
    """Makes the batches of planned rounds. Knows nothing of the iterator, so threads do not keep that alive.

    Args:
        samples: To be read.
        options: How batches are made.
        allocate: Where the memory of images comes from.
        epochs: In which samples are read; None for no end. With several, decoded ones are kept if they fit.
        spare: How many batches' memory is kept unused.
    """

    def __init__(
        self,
        samples: SampleSource,
        options: IteratorOptions,
        allocate: Allocate,
        epochs: int | None = 1,
        spare: int | None = None,
    ) -> None:
        self._samples, self._options = samples, options
        self._augmentation = Augmentation(options.augment, options.shape, options.seed) if options.augment else None
        self._whole = self._augmentation is not None and self._augmentation.window_first
        # Whole images have no one size.
        self._kept = None if self._whole else Kept.of(len(samples), options, epochs)
        self._plain = self._kept if self._augmentation is None else None  # given as they were kept
        self._own = _Own(options.shape)
        # Those that wait, the one that the caller has, and the one that it lets go of late.
        spare = options.prefetch + 2 if spare is None else spare
        self._pool = BatchPool((options.batch_size, *options.shape), spare, allocate)

    def needed(self, shards: np.ndarray) -> np.ndarray:
        """Those shards, int64 (m,), of which samples are still to be read."""
        return shards if self._kept is None else shards[self._kept.incomplete(self._samples.shard_ends)[shards]]

    def start(self, threads: ThreadPoolExecutor, planned: Round) -> Pending:
        """Begin to make a batch."""
        count, images = len(planned.rows), self._pool.take()[: len(planned.rows)]
        plain = self._plain
        if plain is not None and images.nbytes <= SMALL_BYTES and plain.has(planned.rows):
            return Pending(planned, images, 0, partial(self._copied, plain, planned, images))
        size = max(1, -(-count // self._options.threads))
        # A rank without samples in an epoch's last round still gets a batch, of none.
        parts = [range(start, min(start + size, count)) for start in range(0, count, size)] or [range(0)]
        pending = Pending(planned, images, len(parts))
        pending.parts = [threads.submit(self._fill, pending, part) for part in parts]
        return pending

    def _fill(self, pending: Pending, part: range) -> None:
        planned, own = pending.planned, slice(part.start, part.stop)
        if self._plain is not None and self._plain.has(planned.rows[own]):
            self._plain.copy(planned.rows[own], pending.images[own])
        else:
            self._make(planned, pending.images, part)
        if pending.was_last():
            pending.batch = self._finished(planned, pending.images)

    def _copied(self, plain: Kept, planned: Round, images: np.ndarray) -> Batch:
        plain.copy(planned.rows, images)
        return self._finished(planned, images)

    def _make(self, planned: Round, images: np.ndarray, part: range) -> None:
        rows, turns = planned.rows.tolist(), planned.turns.tolist()
        drawn = rows if self._augmentation is None else self._samples.manifest_rows(planned.rows).tolist()
        for index in part:
            try:
                self._put(rows[index], images[index], (planned.epoch, drawn[index], turns[index]))
            except Exception as error:
                named = _named(error, self._samples.key(rows[index]))
                if named is error:  # which must not become its own cause
                    raise
                raise named from error

    def _put(self, row: int, target: np.ndarray, draws: tuple[int, int, int]) -> None:
        """Fit and augment a sample's image, which draws by (epoch, row of the manifest, turn)."""
        augmentation = self._augmentation
        if augmentation is None:
            image = self._fitted(row, target)
        elif self._whole:
            image = augmentation.image(self._decoded(row), *draws)
        else:
            image = augmentation.image(self._fitted(row, self._own.image), *draws)
        if image is not target:
            target[...] = image

    def _fitted(self, row: int, out: np.ndarray) -> np.ndarray:
        """A sample's image in the shape: the one that was kept, not to be changed, or a new one in `out`."""
        kept, options = self._kept, self._options
        image = None if kept is None else kept.get(row)
        if image is None:
            image = fitted(self._decoded(row), options.shape, options.resize, options.fit, out=out)
            if kept is not None:
                kept.put(row, image)
        return image

    def _decoded(self, row: int) -> np.ndarray:
        return read_image(self._samples.media(row), self._options.shape[2], self._options.decoder)

    def _finished(self, planned: Round, images: np.ndarray) -> Batch:
        look_up, mixed = self._samples.labels_at, None
        labels = look_up(planned.rows) if self._kept is None else self._kept.labels_at(planned.rows, look_up)
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
        late: Makes it when it is waited for; None if threads make it.
    """

    def __init__(
        self,
        planned: Round,
        images: np.ndarray,
        parts: int,
        late: Callable[[], Batch] | None = None,
    ) -> None:
        self.planned, self.images, self._late = planned, images, late
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
        if self._late is not None:
            return self._late()
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
