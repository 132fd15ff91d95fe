from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from airflow_mlplat.data.cache.connections import Connections


@pytest.fixture
def one(threads):
    """A single thread, which is busy until the event is set: (connections, event)."""
    connections, go, began = Connections(1), threading.Event(), threading.Event()
    first = connections.submit(0, lambda: (began.set(), go.wait()))
    began.wait()
    yield connections, go
    go.set()
    first.result()
    connections.close()


def test_the_most_urgent_first_then_in_turn(one):
    connections, go = one
    done: list = []
    work = [connections.submit(urgency, lambda name=name: done.append(name)) for name, urgency in
            [("c", 5), ("d", 5), ("a", -1), ("b", 2)]]  # fmt: skip
    go.set()
    for future in work:
        future.result()
    assert done == ["a", "b", "c", "d"]


def test_threads_start_with_the_work_and_end_with_close(threads):
    connections = Connections(3)
    assert threads() == []
    for future in [connections.submit(0, lambda: None) for _ in range(9)]:
        future.result()
    assert threads() == ["mlplat-cache-0", "mlplat-cache-1", "mlplat-cache-2"]
    connections.close()
    assert threads() == []


def test_close_cancels_what_has_not_begun(one):
    connections, go = one
    waiting = connections.submit(0, lambda: 1)
    closing = threading.Thread(target=connections.close)
    closing.start()
    with pytest.raises(CancelledError):
        waiting.result()
    go.set()
    closing.join()
    with pytest.raises(CancelledError):
        connections.submit(0, lambda: 1).result()


def test_an_error_reaches_whoever_waits(threads):
    connections = Connections(1)
    with pytest.raises(ZeroDivisionError):
        connections.submit(0, lambda: 1 // 0).result()
    assert connections.submit(0, lambda: 2).result() == 2
    connections.close()
