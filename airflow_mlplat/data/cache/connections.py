"""A few threads that fetch ranges, those that are waited for first."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Any

THREADS = "mlplat-cache"
"""What the names of all threads of the cache begin with."""


class Connections:
    """Threads that do what they are given, the most urgent first. They start with the first work.

    Args:
        n: How many.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._work: list[tuple[float, int, Callable[[], Any], Future[Any]]] = []
        self._turn = count()
        self._ready = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, urgency: float, call: Callable[[], Any]) -> Future[Any]:
        """Do this, in turn: the lowest number first. After `close` the work counts as cancelled."""
        future: Future[Any] = Future()
        with self._ready:
            if self._closed:
                _cancel(future)
                return future
            heapq.heappush(self._work, (urgency, next(self._turn), call, future))
            if len(self._threads) < self._n:
                thread = threading.Thread(target=self._run, name=f"{THREADS}-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._ready.notify()
        return future

    def close(self) -> None:
        """Cancel what has not begun, and wait for the rest."""
        with self._ready:
            self._closed = True
            for *_, future in self._work:
                _cancel(future)
            self._work.clear()
            self._ready.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._work:
                    if self._closed:
                        return
                    self._ready.wait()
                _, _, call, future = heapq.heappop(self._work)
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del call, future


def _cancel(future: Future[Any]) -> None:
    """Cancel, and wake whoever waits: `cancel` alone leaves that to the thread that would have done the work."""
    future.cancel()
    future.set_running_or_notify_cancel()
