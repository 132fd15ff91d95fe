"""Batches are made in order, from any place, without a new start for each; errors come out."""

from __future__ import annotations

import threading

import pytest

from airflow_mlplat.data.shared.producer import Producer
from airflow_mlplat.data.shared.slots import Slots, read
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.errors import NotFoundError
from tests.data.shared.conftest import eventually, told


@pytest.fixture
def make(span, options, stream, tmp_path):
    """A function that makes the batch of a place: [its fields], and where the next one begins."""
    slots = Slots(tmp_path)
    producer = Producer(StreamSpec(span[1], options(batch_size=40), stream()), slots, threading.Lock())
    producer.bell.setblocking(True)

    def run(place, stop=2):
        assert producer.collect() is None
        producer.order(place, stop)
        assert producer.busy
        product = eventually(producer.collect)
        assert not producer.busy
        assert product.place == place
        return told(read(tmp_path, product.told)[0]), product.following

    yield run
    producer.close()
    slots.close()


def test_in_order_and_from_any_place(make, samples, options, plain):
    whole = plain(samples, options(batch_size=40), 2)
    places = [(epoch, position) for epoch in range(3) for position in range(0, 200, 40)]
    for index in (0, 1, 2, 3, 4, 5, 9, 2, 3):
        assert make(places[index]) == (whole[index], places[index + 1])
    assert make((1, 0), stop=9) == (whole[5], (1, 40))


def test_what_cannot_be_opened(options, stream, tmp_path, span):
    spec = StreamSpec(span[1], options(), stream(store=str(tmp_path / "nowhere")))
    producer = Producer(spec, Slots(tmp_path), threading.Lock())
    producer.bell.setblocking(True)
    producer.order((0, 0), 1)
    assert isinstance(eventually(producer.collect), NotFoundError)
    producer.close()
