"""What the iterator is asked for: whole batches, an epoch's own, and a dataset smaller than a batch."""

from __future__ import annotations

import pytest

from airflow_mlplat.stages.batches import epoch_batches, in_order, steps_per_epoch, training_batches
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.store import Samples


@pytest.fixture
def samples(store, dataset):
    return Samples(store, dataset(range(70)))


@pytest.mark.parametrize(("batch_size", "sizes"), [(32, [32, 32]), (70, [70]), (35, [35, 35]), (100, [70])])
def test_an_epoch_has_whole_batches_or_one_smaller_one(samples, batch_size, sizes):
    options = TrainOptions(shape=(8, 8, 1), batch_size=batch_size, epochs=2)
    with training_batches(samples, options) as batches:
        assert [len(batch) for batch in batches] == sizes * 2
    assert steps_per_epoch(70, batch_size) == len(sizes)


def test_an_epochs_batches_are_those_of_the_whole_training(samples):
    options = TrainOptions(shape=(8, 8, 1), batch_size=32, epochs=3, seed=4)
    with training_batches(samples, options) as batches:
        whole = [(batch.epoch, batch.digest()) for batch in batches]
    for epoch in (2, 0):
        with epoch_batches(samples, options, epoch) as batches:
            assert [batch.digest() for batch in batches] == [made for of, made in whole if of == epoch]
    assert len({made for _, made in whole}) == 6


def test_in_order_gives_all_once(samples):
    with in_order(samples, TrainOptions(shape=(8, 8, 1), augment=[{"name": "flip"}]), 32) as batches:
        assert [row for batch in batches for row in batch.rows.tolist()] == list(range(70))
