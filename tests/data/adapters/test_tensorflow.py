"""TensorFlow gets the batches that numpy gets."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def found(given):
    return given("tensorflow", "tensorflow")


def test_digests(found, expected):
    assert found["digests"] == {"dataset": expected}


def test_nothing_is_copied(found):
    assert found["shared"] == {"dataset": True}


def test_keras_trains_on_it(found):
    losses, end, partly, static = found["trained"]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    assert (end["epoch"], end["position"]) == (1, 61)
    assert (partly["epoch"], partly["position"]) == (0, 16)
    assert static == [8, 8, 8, 1]


def test_no_thread_is_left(found):
    assert found["left"] == []
