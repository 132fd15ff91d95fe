"""A consumer's connection to the server of a stream."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from typing import Any

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.options import IteratorOptions
from airflow_mlplat.data.shared.folder import Lock, sweep
from airflow_mlplat.data.shared.forks import forks
from airflow_mlplat.data.shared.pace import Place
from airflow_mlplat.data.shared.protocol import Inbox, ProtocolError, connect, pack
from airflow_mlplat.data.shared.slot_files import copied, read
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.errors import PlatformError

COPIED_FROM = 4
"""A consumer that holds so many batches in slots is given copies of further ones, so that slots stay few."""
_RETRY_SECONDS = 0.02


class Gone(PlatformError):
    """There is no server to be had, or no more."""


class Client:
    """Asks a server for batches. One thread asks at a time.

    Args:
        connection: On which the server said welcome.
        folder: Of the stream.
        options: How its batches are made.
        inbox: What the server said is in it.
    """

    def __init__(self, connection: socket.socket, folder: Path, options: IteratorOptions, inbox: Inbox) -> None:
        self._connection, self._folder, self._options, self._inbox = connection, folder, options, inbox
        self._lock, self._pid = threading.Lock(), os.getpid()
        self._held: set[int] = set()
        self._released: deque[int] = deque()

    def next(self, place: Place) -> tuple[Batch | None, bool]:
        """The batch that begins at a place; None if the server is elsewhere. And whether it expelled this consumer.

        Raises:
            Gone: The server ended, hangs, or sends nonsense; or this process was forked since.
        """
        if not self._is_here():
            raise Gone("server is the parent's of this process")
        with self._lock:
            released = [self._released.popleft() for _ in range(len(self._released))]
            told = self._ask("next", epoch=place[0], position=place[1], released=released)
        if told["type"] == "apart":
            return None, told["expelled"]
        if told["type"] != "batch":
            raise Gone(f"server ended: {told.get('reason', told['type'])}")
        try:
            return self._batch(told, place), False
        except (OSError, ProtocolError) as error:
            raise Gone("server's batch cannot be read", got=error) from error

    def stats(self) -> dict[str, Any] | None:
        """What the server counted: batches decoded, consumers, those expelled, how often they gathered, CPU seconds.

        Returns:
            None while another thread asks: it may wait for its batch for as long as others may join. None too in a
            process that was forked since.

        Raises:
            Gone: As above.
        """
        if not self._is_here() or not self._lock.acquire(blocking=False):
            return None
        try:
            told = self._ask("stats")
        finally:
            self._lock.release()
        if told["type"] != "counted":  # such as that to a `next` that was interrupted
            raise Gone("server answers another question", expected="counted", got=told["type"])
        return {name: value for name, value in told.items() if name != "type"}

    def close(self) -> None:
        """Leave. A thread that waits for a batch is told that the server is gone. A forked process leaves it to its
        parent."""
        if self._is_here():
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _is_here(self) -> bool:
        return self._pid == os.getpid()

    def _ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """What the server says next, besides that it is there. The lock must be held."""
        try:
            self._connection.sendall(pack(kind, **fields))
            while True:
                for message in self._inbox.feed(_received(self._connection)):
                    if message["type"] != "wait":
                        return message
        except socket.timeout as error:
            raise Gone("server is silent", got=f"nothing for {self._connection.gettimeout()} s") from error
        except (OSError, ProtocolError) as error:
            raise Gone("server is gone", got=error) from error

    def _batch(self, told: dict[str, Any], place: Place) -> Batch:
        batch, mapped = read(self._folder, told)
        _check(batch, self._options, place)
        lease = told["lease"]
        if len(self._held) >= COPIED_FROM:
            copy = copied(batch)
            self._released.append(lease)
            return copy
        self._held.add(lease)
        # Runs in any thread, at any time, so it only notes it; the server is told with the next question.
        weakref.finalize(mapped, _let_go, self._held, self._released, lease, forks()).atexit = False
        return batch


def _let_go(held: set[int], released: deque[int], lease: int, forked: int) -> None:
    if forked != forks():
        return  # a child has it, and sees what the server writes there: it is held to the end
    held.discard(lease)
    released.append(lease)


def _received(connection: socket.socket) -> bytes:
    content = connection.recv(1 << 16)
    if not content:
        raise ConnectionResetError("closed by the server")
    return content


def _check(batch: Batch, options: IteratorOptions, place: Place) -> None:
    """Raise a ProtocolError unless this can be the batch that was asked for."""
    n = len(batch.rows)
    step = options.batch_size * options.shard_count
    if (
        batch.images.shape != (n, *options.shape)
        or batch.labels.shape[:1] != (n,)
        or n > options.batch_size
        or (batch.images.dtype.str, batch.rows.dtype.str) != ("|u1", "<i8")
        or batch.epoch != place[0]
        or not 0 < batch.position - place[1] <= step
    ):
        got = f"{batch.images.dtype} {batch.images.shape} of epoch {batch.epoch} up to {batch.position}"
        raise ProtocolError("that is another batch", expected=f"{options.shape} after {place}", got=got)


def join(spec: StreamSpec, epochs: int) -> Client:
    """The server of a stream, started if there is none.

    Args:
        spec: Which.
        epochs: How many this consumer wants.

    Raises:
        Gone: It does not come to be within `start_seconds`, or does not take this consumer.
    """
    deadline, started = time.monotonic() + spec.stream.start_seconds, False
    try:
        while True:
            with contextlib.suppress(OSError):  # nobody listens yet, or it ends just now
                return _greeted(spec, epochs)
            lock = Lock.take(spec.folder, make=True)
            if lock is not None:
                _start(lock, spec, started)
                started = True
            if time.monotonic() > deadline:
                raise Gone("no server within start_seconds", expected=f"one in {spec.folder}")
            time.sleep(_RETRY_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise Gone("server cannot be started", got=error) from error


def _start(lock: Lock, spec: StreamSpec, again: bool) -> None:
    try:
        if again:
            raise Gone("server ended as soon as it was started")
        sweep(spec.stream.directory)
        spec.save()
        lock.start_server(spec.stream.start_seconds)
    except BaseException:
        lock.remove_folder()
        raise
    lock.let_go()


def _greeted(spec: StreamSpec, epochs: int) -> Client:
    connection, inbox = connect(spec.folder), Inbox()
    try:
        connection.settimeout(spec.stream.silence_seconds)
        connection.sendall(pack("hello", identity=spec.identity, epochs=epochs))
        while True:
            for message in inbox.feed(_received(connection)):
                if message["type"] != "welcome":
                    raise Gone("server does not take this consumer", got=message.get("reason", message["type"]))
                return Client(connection, spec.folder, spec.options, inbox)
    except ProtocolError as error:
        connection.close()
        raise Gone("server sends nonsense", got=error) from error
    except BaseException:
        connection.close()
        raise
