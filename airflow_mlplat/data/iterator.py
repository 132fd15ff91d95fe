"""The framework-independent data iterator: samples in, batches out, resumable at any of them.

Rank r of n takes the positions k·n + r of the global order, so all ranks together always see the order of one. The
state counts samples given to all ranks together, which lets the number of ranks change in mid-epoch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.decode import decode
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.order import ALGORITHM, permute
from airflow_mlplat.errors import DataError, SpecError


class SampleSource(Protocol):
    """What the iterator reads: `store.Samples`, or a part of it."""

    @property
    def ref(self) -> Ref:
        """Names the manifest, whose digest the order depends on."""

    @property
    def labels(self) -> np.ndarray:
        """int64 (N,)."""

    def __len__(self) -> int: ...

    def key(self, position: int, /) -> str:
        """The key of one sample."""

    def media(self, position: int, /) -> bytes:
        """The media bytes of one sample. Called from several threads."""


class BatchIterator:
    """Batches of one rank, over a number of epochs.

    Iterate to get batches; `get_state` then tells where the batches that were given end, and a new iterator that is
    given this state goes on with exactly the rest. Use it as a context manager, or call `close`: its threads end then.

    Every rank gets equally many batches. In an epoch's last round the samples that are left go to the ranks in turn,
    so batches may be smaller there, and even empty; `drop_remainder` leaves that round out.

    Args:
        samples: To be read.
        options: How batches are made.
        epochs: Passes over the samples.

    Raises:
        DataError: There are no samples; while iterating: a sample does not decode, named by its key.
    """

    def __init__(self, samples: SampleSource, options: IteratorOptions, epochs: int = 1) -> None:
        if not len(samples):
            raise DataError("nothing to iterate over", expected="one sample or more", got=0)
        self._samples, self._options, self._epochs = samples, options, epochs
        self._n = len(samples)
        self._epoch, self._position = 0, 0
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> BatchIterator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; they finish the sample at hand."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            pool.shutdown(wait=True)

    def __del__(self) -> None:
        self.close()

    def get_state(self) -> dict[str, Any]:
        """Where the batches that were given end; plain JSON."""
        return {**self._identity(), "epoch": self._epoch, "position": self._position}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            SpecError: The state is of another dataset, seed, order or algorithm, or lies outside the epoch.
        """
        own, given = self._identity(), {name: state.get(name) for name in self._identity()}
        if given != own:
            raise SpecError("state of another iteration", expected=own, got=given)
        epoch, position = state.get("epoch"), state.get("position")
        if not (isinstance(epoch, int) and isinstance(position, int) and epoch >= 0 and 0 <= position <= self._n):
            raise SpecError("state outside the epoch", expected=f"position 0 … {self._n}", got=f"{epoch}, {position}")
        self._epoch, self._position = epoch, position

    def _identity(self) -> dict[str, Any]:
        order = ALGORITHM if self._options.shuffle else "manifest"
        return {
            "manifest": self._samples.ref.digest,
            "samples": self._n,
            "seed": self._options.seed,
            "window": 0,  # the order is over all samples; windows of shards are for remote data
            "algorithm": order,
        }

    def __iter__(self) -> Iterator[Batch]:
        """The rest of the batches. What was prefetched but not given is not part of the state."""
        self.close()
        pool = self._pool = ThreadPoolExecutor(self._options.threads, thread_name_prefix="mlplat-decode")
        waiting: deque[_Pending] = deque()
        try:
            for planned in self._plan():
                waiting.append(self._begin(pool, *planned))
                if len(waiting) > self._options.prefetch:
                    yield self._give(waiting.popleft())
            while waiting:
                yield self._give(waiting.popleft())
        finally:
            for pending in waiting:
                pending.cancel()
            pool.shutdown(wait=True)

    def _plan(self) -> Iterator[tuple[int, int, int]]:
        """(epoch, first position, position after) of every round of batches that is still to come."""
        stride = self._options.batch_size * self._options.shard_count
        epoch, position = self._epoch, self._position
        while epoch < self._epochs:
            after = position + stride
            if after > self._n and (self._options.drop_remainder or position >= self._n):
                epoch, position = epoch + 1, 0
                continue
            yield epoch, position, min(after, self._n)
            position = after
            if position >= self._n:
                epoch, position = epoch + 1, 0

    def _begin(self, pool: ThreadPoolExecutor, epoch: int, first: int, after: int) -> _Pending:
        options = self._options
        positions = np.arange(first + options.shard_index, after, options.shard_count, dtype=np.int64)
        rows = positions
        if options.shuffle:
            rows = permute(positions, self._n, options.seed, epoch, self._samples.ref.digest)
        images = np.empty((len(rows), *options.shape), np.uint8)
        batch = Batch(images, self._samples.labels[rows], rows, epoch, after)
        size = max(1, -(-len(rows) // options.threads))
        parts = [range(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
        return _Pending(batch, [pool.submit(self._fill, batch, part) for part in parts])

    def _fill(self, batch: Batch, part: range) -> None:
        for index in part:
            row = int(batch.rows[index])
            try:
                batch.images[index] = decode(self._samples.media(row), self._options.shape)
            except DataError as error:
                raise DataError(f"sample {self._samples.key(row)!r}: {error.what}", got=error.got) from error

    def _give(self, pending: _Pending) -> Batch:
        batch = pending.wait()
        self._epoch, self._position = batch.epoch, batch.position
        return batch


class _Pending:
    """A batch whose parts are still being decoded."""

    def __init__(self, batch: Batch, parts: list[Future[None]]) -> None:
        self._batch, self._parts = batch, parts

    def wait(self) -> Batch:
        for part in self._parts:
            part.result()
        return self._batch

    def cancel(self) -> None:
        for part in self._parts:
            part.cancel()
