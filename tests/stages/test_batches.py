"""What the iterator is asked for: whole batches, an epoch's own, and a dataset smaller than a batch."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.data import Subset
from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.stages import Job
from airflow_mlplat.stages.batches import epoch_batches, in_order, steps_per_epoch, stream_of, training_batches
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.store import Samples


def options(**changed):
    return TrainOptions(shape=(8, 8, 1), batch_size=16, epochs=2, **changed)


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


@pytest.fixture
def job(store, tmp_path):
    def make(host):
        spec = JobSpec("train", "digits", store.url, code_version="c", image="i")
        return Job(spec, store, tmp_path, None, logging.getLogger("tests"), host=host)

    return make


def test_batches_are_shared_when_asked_for_and_where_they_can_be(job, samples, tmp_path):
    part, alone, shared = Subset(samples, np.arange(50)), options(), options(shared_by=2)
    host = HostCache(tmp_path / "cache", 1 << 20)
    assert stream_of(job(host), part, alone) is None
    assert stream_of(job(None), part, shared) is None
    stream = stream_of(job(host), part, shared)
    assert (stream.directory, stream.consumers, stream.cache) == (tmp_path / "cache/streams", 2, host)
    assert stream.rows.tolist() == list(range(50))


def test_shared_batches_are_the_same(job, samples, tmp_path):
    part, how = Subset(samples, np.arange(5, 70)), options(shared_by=2)
    stream = dataclasses.replace(stream_of(job(HostCache(tmp_path / "c", 1)), part, how), consumers=1)
    with training_batches(part, how) as plain, training_batches(part, how, stream=stream) as shared:
        assert [batch.digest() for batch in shared] == [batch.digest() for batch in plain]
        assert shared.stats()["own"] == 0
    with epoch_batches(part, how, 1) as plain, epoch_batches(part, how, 1, stream) as shared:
        assert [batch.digest() for batch in shared] == [batch.digest() for batch in plain]
