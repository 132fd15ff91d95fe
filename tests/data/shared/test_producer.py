"""Batches are made in order, from any place, without a new start for each; errors come out."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from airflow_mlplat.data.shared.producer import Producer
from airflow_mlplat.data.shared.slot_files import read
from airflow_mlplat.data.shared.slots import Slots
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.errors import NotFoundError
from airflow_mlplat.store import Samples
from tests.data.shared.conftest import SECONDS, eventually, told


def wait_until_ended():
    """No producer's thread is left, nor those that decode for it."""
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("mlplat")])


@pytest.fixture
def make(span, options, stream, tmp_path):
    """A function that makes the batch of a place: [its fields], and where the next one begins."""
    slots = Slots(tmp_path, 40)
    producer = Producer(StreamSpec(span[1], options(batch_size=40), stream()), slots)
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
    wait_until_ended()


def test_in_order_and_from_any_place(make, samples, options, plain):
    whole = plain(samples, options(batch_size=40), 2)
    places = [(epoch, position) for epoch in range(3) for position in range(0, 200, 40)]
    for index in (0, 1, 2, 3, 4, 5, 9, 2, 3):
        assert make(places[index]) == (whole[index], places[index + 1])
    assert make((1, 0), stop=9) == (whole[5], (1, 40))


def test_samples_are_decoded_once_wherever_it_goes_on(make, monkeypatch):
    reads, media = Counter(), Samples.media

    def counted(samples, row):
        reads[row] += 1
        return media(samples, row)

    monkeypatch.setattr(Samples, "media", counted)
    places = [(epoch, position) for epoch in range(3) for position in range(0, 200, 40)]
    for place in [*places, places[2], places[7]]:
        make(place, stop=3)
    assert reads == dict.fromkeys(range(200), 1)


def test_what_cannot_be_opened(options, stream, tmp_path, span):
    spec = StreamSpec(span[1], options(), stream(store=str(tmp_path / "nowhere")))
    producer = Producer(spec, Slots(tmp_path, 40))
    producer.bell.setblocking(True)
    producer.order((0, 0), 1)
    assert isinstance(eventually(producer.collect), NotFoundError)
    producer.close()
    wait_until_ended()


def test_closed_while_it_makes_a_batch(span, options, stream, tmp_path, slow_disk):
    """Nobody waits for it, and nothing is left when it is done."""
    folder = tmp_path / "slots"
    folder.mkdir()
    slots = Slots(folder, 40)
    producer = Producer(StreamSpec(span[1], options(), stream()), slots)
    producer.order((0, 0), 1)
    assert slow_disk.asked.wait(SECONDS)
    producer.close()
    slots.close()
    slow_disk.leave.set()
    wait_until_ended()
    assert list(folder.iterdir()) == []
