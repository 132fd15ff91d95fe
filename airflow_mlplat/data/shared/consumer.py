"""A batch iterator whose batches are decoded once for several trainers on a host.

Whatever happens to the server, the batches are those of a `BatchIterator`, none lost and none repeated: when there is
no server, or it ends, hangs or is elsewhere in the order, the trainer decodes for itself. It looks for a server again
when its next pass begins, and each time before it decodes for itself while the server is only elsewhere.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Callable

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.plan import EPOCHS, next_epoch
from airflow_mlplat.data.shared.client import Client, Gone, join
from airflow_mlplat.data.shared.folder import sweep
from airflow_mlplat.data.shared.pace import Place
from airflow_mlplat.data.shared.spec import StreamOptions, StreamSpec
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.errors import SpecError

_LOG = logging.getLogger(__name__)


class SharedIterator:
    """As `BatchIterator`, and with the same batches, but decoded together with others that are given the same.

    Their arrays are their own here too: they lie in private pages, so that a change is seen by nobody else.

    Args:
        samples: Those of a store, or a subset of them. The server opens them itself, and this when it has to decode.
        options: How batches are made.
        epochs: Passes over the samples; None for ever.
        stream: How they are shared.

    Raises:
        DataError, SpecError: As `BatchIterator`.
    """

    _client: Client | None = None

    def __init__(
        self, samples: SampleSource, options: IteratorOptions, epochs: int | None, stream: StreamOptions
    ) -> None:
        if not isinstance(stream, StreamOptions):
            raise SpecError("stream of a shared iterator is none", expected="StreamOptions(…)", got=repr(stream))
        self._own = BatchIterator(samples, options, epochs)
        self.options = options
        self._n, self._epochs = len(samples), EPOCHS if epochs is None else epochs
        self._spec = StreamSpec.of(samples, options, stream)
        self._pass_now: object = None
        self._counts: dict[str, Any] = {
            "shared": 0, "own": 0, "wait_seconds": 0.0, "expelled": 0, "reason": "", "server": None,
        }  # fmt: skip

    def __enter__(self) -> SharedIterator:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the pass that is under way, and leave the stream. Batches that were given, and the state, stay."""
        self._pass_now = None
        self._own.close()
        self._leave()

    def __del__(self) -> None:
        if hasattr(self, "_counts"):
            self.close()

    def get_state(self) -> dict[str, Any]:
        """As `BatchIterator.get_state`: states of the one go into the other."""
        return self._own.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """As `BatchIterator.set_state`."""
        self._own.set_state(state)
        self._pass_now = None

    def stats(self) -> dict[str, Any]:
        """What was counted.

        Returns:
            `shared`: batches from the server; `own`: batches decoded by this process; `wait_seconds`: time spent
            asking the server; `expelled`: how often it found this consumer too slow; `reason`: why this process
            decoded for itself last; `server`: what the server counted, as of the last time that it was asked. It is
            not asked while another thread waits for a batch.
        """
        client = self._client
        if client is not None:
            try:
                self._counts["server"] = client.stats() or self._counts["server"]
            except Gone as gone:
                self._fall_back(gone, client)
        return dict(self._counts)

    def __iter__(self) -> Iterator[Batch]:
        """As `BatchIterator.__iter__`."""
        return self._pass(self._epochs, lambda: iter(self._own))

    def epoch(self) -> Iterator[Batch]:
        """As `BatchIterator.epoch`."""
        return self._pass(min(self._place()[0] + 1, self._epochs), self._own.epoch)

    def _pass(self, stop: int, begin: Callable[[], Iterator[Batch]]) -> Iterator[Batch]:
        self._own.close()
        this = self._pass_now = object()
        own: Iterator[Batch] | None = None
        if self._place()[0] < stop:
            self._join()
        while True:
            self._check_is(this)
            place = self._place()
            if place[0] >= stop:
                break
            batch = self._shared(place, this)
            self._check_is(this)
            if batch is not None:
                own = None
            else:
                own = begin() if own is None else own
                batch = next(own)
                self._counts["own"] += 1
            yield batch
        if stop == self._epochs:
            self._leave()  # those that are not done need not wait for this one

    def _check_is(self, this: object) -> None:
        if self._pass_now is not this:
            raise SpecError("this pass over the batches was ended by another one, or by close", fix="iterate anew")

    def _place(self) -> Place:
        return next_epoch(self._n, self.options, *self._own.place)

    def _shared(self, place: Place, this: object) -> Batch | None:
        """The batch that begins there from the server; None if this has to decode it itself."""
        client = self._client
        if client is None:
            return None
        started = time.monotonic()
        try:
            batch, expelled = client.next(place)
        except Gone as gone:
            self._fall_back(gone, client)
            return None
        self._check_is(this)  # of a pass that another thread has ended meanwhile the state is no more to be changed
        self._counts["wait_seconds"] += time.monotonic() - started
        if batch is None:
            self._counts["expelled"] += expelled
            self._tell("this consumer was too slow" if expelled else "the server is elsewhere in the order")
            return None
        self._own.seek(batch.epoch, batch.position)
        self._counts["shared"] += 1
        return batch

    def _join(self) -> None:
        if self._client is None:
            try:
                self._client = join(self._spec, self._epochs)
            except Gone as gone:
                self._tell(str(gone))

    def _fall_back(self, gone: Gone, client: Client) -> None:
        if self._client is client:  # else another thread left, and that is why it is gone
            self._client = None
            client.close()
            self._tell(str(gone))

    def _tell(self, reason: str) -> None:
        if self._counts["reason"] != reason:
            self._counts["reason"] = reason
            _LOG.warning("%s: decoding for itself: %s", self._spec.ref, reason)

    def _leave(self) -> None:
        if self._client is not None:
            self.stats()
        client, self._client = self._client, None
        if client is not None:
            client.close()
        sweep(self._spec.stream.directory)
