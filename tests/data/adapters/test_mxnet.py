"""MXNet gets the batches that numpy gets, in Gluon and in modules."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.mxnet


@pytest.fixture(scope="module")
def found(given):
    return given("mxnet", "mxnet")


def test_digests(found, expected):
    assert found["digests"] == {"ndarrays": expected, "data_iter": expected}


def test_nothing_is_copied(found):
    assert found["shared"] == {"ndarrays": True, "data_iter": True}


def test_a_module_trains_on_it(found):
    losses, end = found["trained"]
    assert [samples for _, samples in losses] == [61, 61]  # none is counted twice
    assert all(math.isfinite(loss) for loss, _ in losses)
    assert (end["epoch"], end["position"]) == (1, 61)


def test_no_thread_is_left(found):
    assert found["left"] == []
