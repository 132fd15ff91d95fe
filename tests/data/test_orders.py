"""The order that options ask for."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data import IteratorOptions, permute
from airflow_mlplat.data.orders import order_of
from airflow_mlplat.data.window import WindowedOrder
from tests.data.conftest import MANIFEST

POSITIONS = np.arange(30)


def test_orders(memory):
    samples = memory(30, shard_ends=[10, 20, 30])

    def rows(**options):
        found, turns = order_of(samples, IteratorOptions(seed=5, **options)).rows(POSITIONS, 2)
        assert found.dtype == turns.dtype == np.int64
        return found.tolist(), turns.tolist()

    once = [0] * 30
    assert rows(shuffle=False) == (POSITIONS.tolist(), once)
    assert rows() == (permute(POSITIONS, 30, 5, 2, MANIFEST).tolist(), once)
    windowed = WindowedOrder(samples.shard_ends, 2, 5, 2, MANIFEST).rows(POSITIONS)
    assert rows(window=2) == (windowed.tolist(), once)
    threes = np.flatnonzero(samples.labels == 3).tolist()
    found, turns = rows(sampling={"classes": {"3": 1}})
    assert set(found) == set(threes)
    assert turns == [i // len(threes) for i in range(30)]


def test_shards_ahead(memory):
    samples = memory(40, shard_ends=[10, 20, 30, 40])
    order = order_of(samples, IteratorOptions(window=2))
    shards = order.shards_ahead(3, 0).tolist()
    assert sorted(shards) == [0, 1, 2, 3]
    assert order.shards_ahead(3, 19).tolist() == shards
    assert order.shards_ahead(3, 20).tolist() == shards[2:]
    for options in ({}, {"shuffle": False}, {"sampling": {"classes": "balanced"}}):
        assert order_of(samples, IteratorOptions(**options)).shards_ahead(3, 0).tolist() == []
