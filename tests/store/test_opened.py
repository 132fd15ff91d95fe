"""Few things stay open, and each is opened once, whichever threads ask."""

from __future__ import annotations

import resource
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from airflow_mlplat.store.opened import Opened, most_open


def test_few_stay_open():
    made = []
    opened = Opened(lambda number: made.append(number) or [number], 3)
    assert [opened[number] for number in (0, 1, 2, 0, 3, 1)] == [[0], [1], [2], [0], [3], [1]]
    assert made == [0, 1, 2, 3]
    assert opened.get(0) is None
    assert opened[0] == [0]
    assert made == [0, 1, 2, 3, 0]


def test_threads_open_each_thing_once():
    made, together = [], threading.Barrier(8)

    def make(number):
        made.append(number)
        return object()

    opened = Opened(make, 100)

    def ask(_):
        together.wait()
        return [opened[number] for number in range(50)]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert sorted(made) == list(range(50))
    assert all(things == found[0] for things in found)


def test_threads_and_few_places():
    opened = Opened(lambda number: [number], 2)

    def ask(seed):
        order = np.random.RandomState(seed).randint(0, 40, 500).tolist()
        return all(opened[number] == [number] for number in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


@pytest.mark.parametrize("limit, most", [(1024, 128), (20, 16), (1 << 20, 8192), (resource.RLIM_INFINITY, 8192)])
def test_how_many_may_be_open(monkeypatch, limit, most):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, limit))
    assert most_open() == most
