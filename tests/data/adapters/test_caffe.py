"""Caffe gets the batches that numpy gets, in blobs and from a layer."""

from __future__ import annotations

import json

import pytest

from airflow_mlplat.data.adapters import caffe as adapter

pytestmark = pytest.mark.caffe


@pytest.fixture(scope="module")
def found(given):
    return given("caffe", "caffe")


def test_digests(found, expected):
    assert found["digests"] == {"feed": expected, "layer": expected}


def test_blobs_are_copies(found):
    assert found["shared"] == {"feed": False, "layer": False}


def test_a_solver_trains_on_it(found):
    losses, sizes = zip(*found["trained"]["losses"])
    assert sizes == 12 * (7 * (8,) + (5,))  # the last is smaller
    assert sum(losses[-8:]) < sum(losses[:8]) / 4
    assert (found["trained"]["end"]["epoch"], found["trained"]["end"]["position"]) == (11, 61)
    assert 0.9 < found["trained"]["greatest"] <= 1


@pytest.mark.parametrize(
    ("case", "told"),
    [
        (
            "shape",
            "blob for images of another shape; expected (n, 1, 8, 8); got (8, 3, 4, 4). "
            "let the net's input have the iterator's shape, channels first.",
        ),
        ("labels", "blob for more than one label; expected (n,) or (n, 1, …); got (8, 2)."),
        ("blob", "the net has no blob 'images'; expected data | label | scores | loss; got 'images'."),
        ("twice", "two iterators of one name; expected another name; got 'a'."),
        (
            "not offered",
            "no iterator is offered as 'b'; expected a. make the net within `with offered(iterator, name):`.",
        ),
    ],
)
def test_what_is_wrong_is_told(found, case, told):
    assert json.dumps(found["trained"][case]) == json.dumps(told)


def test_no_thread_is_left(found):
    assert found["left"] == []


def test_the_module_has_only_what_it_has():
    with pytest.raises(
        AttributeError, match=r"module 'airflow_mlplat\.data\.adapters\.caffe' has no attribute 'Other'"
    ):
        _ = adapter.Other
