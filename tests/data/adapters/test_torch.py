"""PyTorch gets the batches that numpy gets."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def found(given):
    return given("torch", "bench")


def test_digests(found, expected):
    assert found["digests"] == {"dataset": expected, "loader": expected}


def test_nothing_is_copied(found):
    assert found["shared"] == {"dataset": True, "loader": True}


def test_a_model_trains_on_it(found):
    trained = found["trained"]
    assert len(trained["losses"]) == 8
    assert all(map(math.isfinite, trained["losses"]))
    assert (trained["end"]["epoch"], trained["end"]["position"]) == (0, 61)
    assert trained["state"] == 8


def test_a_loader_with_workers_is_refused(found):
    told = found["trained"]["workers"]
    assert "the iterator cannot run in a loader's worker; expected num_workers=0; got 1. " in told


def test_on_a_gpu(found, expected):
    """Where there is one; elsewhere that is told."""
    trained = found["trained"]
    assert (
        "cannot copy batches to device 'cuda:9'; expected cuda, or cuda:0, cuda:1, … of the GPUs" in trained["no gpu"]
    )
    if trained["gpu"]:
        assert trained["gpu"] == [expected[0], 16]
    else:
        assert "got 0 GPUs. leave it out: batches then stay in the CPU's memory." in trained["no pinned"]


def test_no_thread_is_left(found):
    assert found["left"] == []
