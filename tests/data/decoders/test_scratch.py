"""A thread's memory is its own, grows, and is not held on to when it is large."""

from __future__ import annotations

import threading

import numpy as np

from airflow_mlplat.data.decoders import scratch as module
from airflow_mlplat.data.decoders.scratch import scratch


def test_the_same_memory_again():
    first = scratch(1000)
    assert (first.dtype, first.shape) == (np.uint8, (1000,))
    assert np.shares_memory(scratch(10), scratch(1000))


def test_threads_do_not_share():
    mine, others = scratch(100), []
    thread = threading.Thread(target=lambda: others.append(scratch(100)))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, others[0])


def test_large_memory_is_not_kept(monkeypatch):
    monkeypatch.setattr(module, "KEPT_BYTES", 5000)
    assert not np.shares_memory(scratch(5001), scratch(5001))
    assert scratch(5001).shape == (5001,)
