"""The framework-independent data iterator: samples in, batches out, resumable at any of them.

Rank r of n takes the positions k·n + r of the global order, so all ranks together always see the order of one. The
state counts samples given to all ranks together, which lets the number of ranks change in mid-epoch.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from itertools import count, islice
from types import TracebackType
from typing import Any

import numpy as np

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.filling import Filler, Pending
from airflow_mlplat.data.options import IteratorOptions, is_whole
from airflow_mlplat.data.orders import Order, algorithm, order_of
from airflow_mlplat.data.plan import EPOCHS, Round, next_epoch, rounds
from airflow_mlplat.data.pool import Allocate, ordinary
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.errors import DataError, SpecError

THREADS = "mlplat-decode"
"""What the names of the decoding threads begin with."""


class BatchIterator:
    """Batches of one rank, over a number of epochs.

    Iterate to get batches; `get_state` then tells where the batches that were given end, and a new iterator that is
    given this state goes on with exactly the rest. Iterating again goes on there too, and ends the pass before.
    Threads run only during a pass: they end with it, with `close`, or when it is no longer referred to.

    Every rank gets equally many batches; `plan` says how an epoch's last samples are shared.

    Args:
        samples: To be read.
        options: How batches are made.
        epochs: Passes over the samples; None for no end.
        allocate: Where the memory of images comes from.
        spare: How much of it that nobody uses is kept to be used again, in batches; None for as much as is of use.

    Raises:
        DataError: There are no samples, or with `drop_remainder` too few for one batch.
        SpecError: An argument is none of these; or, when batches are asked for, `sampling` names an unknown class.
        ConfigError: An option needs a package that is not installed.
    """

    _pool: _Pool | None = None

    def __init__(
        self,
        samples: SampleSource,
        options: IteratorOptions,
        epochs: int | None = 1,
        allocate: Allocate = ordinary,
        spare: int | None = None,
    ) -> None:
        if not isinstance(options, IteratorOptions):
            raise SpecError("options of an iterator are wrong", expected="IteratorOptions(…)", got=repr(options))
        if not hasattr(samples, "ref"):
            raise SpecError("samples of an iterator are none", expected="Samples(store, ref)", got=repr(samples))
        if epochs is not None and not (is_whole(epochs) and epochs >= 1):
            raise SpecError("epochs must be a whole number", expected="1 or more, or None", got=repr(epochs))
        least = options.batch_size * options.shard_count if options.drop_remainder else 1
        if len(samples) < least:
            raise DataError(f"{samples.ref} has too few samples for a batch", expected=least, got=len(samples))
        self.options = options
        self._samples, self._epochs, self._n = samples, epochs, len(samples)
        self._filler = Filler(samples, options, allocate, epochs, spare)
        self._order: Order | None = None
        self._epoch, self._position = 0, 0

    def __enter__(self) -> BatchIterator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the pass that is under way; its threads finish the sample at hand. The state stays."""
        pool, self._pool = self._pool, None
        if pool is not None:
            _end(pool)

    def __del__(self) -> None:
        self.close()

    def get_state(self) -> dict[str, Any]:
        """Where the batches that were given end; plain JSON, the same for every rank, shape and batch size."""
        return {**self._identity(), "epoch": self._epoch, "position": self._position}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from there; ends the pass that is under way.

        Raises:
            SpecError: The state is of another dataset, seed, order or algorithm, lies outside the epoch, or is none.
        """
        if not isinstance(state, Mapping):
            raise SpecError("state is none of an iterator's", expected="what get_state gave", got=repr(state))
        own = self._identity()
        differ = [name for name, value in own.items() if state.get(name) != value]
        if differ:
            mend = "iterate over the same samples with the same seed, shuffle and sampling, or start anew"
            if differ == ["algorithm"] and "manifest" not in (own["algorithm"], state.get("algorithm")):
                mend = "it is of a version of airflow_mlplat that draws otherwise: start anew"
            raise SpecError(
                "state of another iteration",
                expected={name: own[name] for name in differ}, got={name: state.get(name) for name in differ},
                fix=mend,
            )  # fmt: skip
        place: tuple[Any, Any] = state.get("epoch"), state.get("position")
        epoch, position = place
        if not (is_whole(epoch) and is_whole(position) and 0 <= epoch < EPOCHS and 0 <= position <= self._n):
            raise SpecError(
                "state outside the epoch", expected=f"epoch 0 … {EPOCHS - 1}, position 0 … {self._n}",
                got=f"epoch {epoch!r}, position {position!r}",
            )  # fmt: skip
        self.seek(int(epoch), int(position))

    def seek(self, epoch: int, position: int) -> None:
        """Go on from a place that is known to be one of this iteration, as `set_state` does. It is not looked at.

        Args:
            epoch: From 0.
            position: Samples of the epoch that all ranks together have been given: 0 … n.
        """
        self.close()
        self._epoch, self._position = epoch, position

    @property
    def place(self) -> tuple[int, int]:
        """(epoch, position) of `get_state`."""
        return self._epoch, self._position

    def _identity(self) -> dict[str, Any]:
        return {
            "manifest": self._samples.ref.digest,
            "samples": self._n,
            "rows": self._samples.rows_digest,
            "seed": self.options.seed,
            "window": self.options.window,
            "sampling": self.options.sampling,
            "algorithm": algorithm(self.options),
        }

    def __iter__(self) -> Iterator[Batch]:
        """The rest of the batches of all epochs.

        Raises:
            MlplatError: A sample cannot be read or decoded; names its key. The state is that before its batch.
        """
        return self._pass(self._epochs)

    def epoch(self) -> Iterator[Batch]:
        """The rest of the epoch's batches; of the next epoch's if none is left in this, and none after the last."""
        epoch, _ = next_epoch(self._n, self.options, self._epoch, self._position)
        return self._pass(epoch + 1 if self._epochs is None else min(epoch + 1, self._epochs))

    def _pass(self, stop: int | None) -> Iterator[Batch]:
        self.close()
        pool = self._pool = _Pool(self.options.threads)
        waiting: deque[Pending] = deque()
        plans = self._plan(stop)
        try:
            self._begin(waiting, plans, pool, 1)  # alone: the first batch does not wait for those behind it
            while waiting:
                self._check(pool)
                batch = waiting.popleft().wait()
                self._begin(waiting, plans, pool, 2)  # one in place of this, and one more until there are enough
                self._check(pool)  # the state of a pass that was ended while it waited is no more to be changed
                self._epoch, self._position = batch.epoch, batch.position
                yield batch
        except (CancelledError, RuntimeError):  # of a pool that another thread has ended meanwhile
            self._check(pool)
            raise
        finally:
            _end(pool)

    def _check(self, pool: _Pool) -> None:
        if pool.pid != os.getpid():
            raise SpecError(
                "this pass over the batches was begun by another process, whose threads a fork leaves behind",
                expected=f"process {pool.pid}", got=os.getpid(), fix="make an iterator in this process",
            )  # fmt: skip
        if self._pool is not pool:
            raise SpecError("this pass over the batches was ended by another one, or by close", fix="iterate anew")

    def _begin(self, waiting: deque[Pending], plans: Iterator[Round], pool: _Pool, most: int) -> None:
        for planned in islice(plans, min(most, self.options.prefetch - len(waiting))):
            waiting.append(self._filler.start(pool, planned))

    def _plan(self, stop: int | None) -> Iterator[Round]:
        if self._order is None:
            self._order = order_of(self._samples, self.options)
        order, needed = self._order, self._filler.needed
        first, position = next_epoch(self._n, self.options, self._epoch, self._position)
        for epoch in count(first) if stop is None else range(first, stop):
            ahead = order.shards_ahead(epoch, position)
            if len(ahead):
                self._samples.will_read(needed(ahead))
            for number, planned in enumerate(rounds(self._n, order, self.options, epoch, position)):
                yield planned
                if not number and len(ahead) and (stop is None or epoch + 1 < stop):  # the first batch does not wait
                    self._samples.will_read(needed(np.concatenate([ahead, order.shards_ahead(epoch + 1, 0)])))
            position = 0


class _Pool(ThreadPoolExecutor):
    """The threads of one pass, and the process that has them."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix=THREADS)
        self.pid = os.getpid()


def _end(pool: _Pool) -> None:
    """End the threads, and wait for them, unless the garbage collector happens to call from one of them."""
    if pool.pid != os.getpid():
        return  # there are none here, and a lock of theirs may be held for ever
    own = threading.current_thread().name.startswith(THREADS)
    pool.shutdown(wait=not own, cancel_futures=True)
