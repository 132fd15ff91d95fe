"""What the iterator is asked for: whole batches, an epoch's own, and a dataset smaller than a batch."""

from __future__ import annotations

import dataclasses
import logging
import threading

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.data import Subset
from airflow_mlplat.data.cache import HostCache
from airflow_mlplat.data.iterator import THREADS
from airflow_mlplat.data.shared.client import join
from airflow_mlplat.data.shared.spec import StreamSpec
from airflow_mlplat.stages import Job
from airflow_mlplat.stages.batches import EpochBatches, in_order, steps_per_epoch, stream_of, training_batches
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.workers import Workers
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
    with EpochBatches(samples, options) as batches:
        for epoch in (2, 0, 0):
            assert [batch.digest() for batch in batches.epoch(epoch)] == [made for of, made in whole if of == epoch]
    assert len({made for _, made in whole}) == 6


def digests(batches):
    return [batch.digest() for batch in batches]


def test_epochs_that_are_broken_off_and_at_the_same_time_and_beyond_the_last(samples):
    how = options()
    with training_batches(samples, how, 5) as batches:
        whole = digests(batches)
    with EpochBatches(samples, how) as batches:
        assert next(batches.epoch(1)).digest() == whole[4]
        pairs = zip(batches.epoch(0), batches.epoch(1), batches.epoch(3), batches.epoch(4))
        assert [[batch.digest() for batch in pair] for pair in pairs] == list(
            map(list, zip(*(whole[4 * epoch : 4 * epoch + 4] for epoch in (0, 1, 3, 4))))
        )
        assert digests(batches.epoch(1)) == whole[4:8]
        assert digests(batches.epoch(4)) == whole[16:]


def test_no_thread_is_left_of_epochs(samples):
    with EpochBatches(samples, options()) as batches:
        begun = batches.epoch(0)
        next(begun)
        begun.close()
        list(batches.epoch(1))
    assert [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)] == []


def test_in_order_gives_all_once(samples):
    with in_order(samples, TrainOptions(shape=(8, 8, 1), augment=[{"name": "flip"}]), 32) as batches:
        assert [row for batch in batches for row in batch.rows.tolist()] == list(range(70))


@pytest.mark.parametrize("count", [2, 3])
def test_the_batches_of_all_workers_are_those_of_one(samples, count):
    how = TrainOptions(shape=(8, 8, 1), batch_size=12, epochs=2, augment=[{"name": "flip"}])
    workers = [Workers(rank, (("127.0.0.1", 1),) * count) for rank in range(count)]
    with training_batches(samples, how) as batches:
        whole = list(batches)
    shares = []
    for mine in workers:
        with training_batches(samples, how, workers=mine) as batches:
            shares.append(list(batches))
    assert [len(share) for share in shares] == [len(whole)] * count == [10] * count
    for batch, *parts in zip(whole, *shares):
        for rank, part in enumerate(parts):
            assert part.rows.tolist() == batch.rows[rank::count].tolist()
            np.testing.assert_array_equal(part.images, batch.images[rank::count])


@pytest.mark.parametrize("count", [2, 4])
def test_in_order_gives_each_to_one_worker(samples, count):
    seen = []
    for rank in range(count):
        with in_order(samples, options(), 16, Workers(rank, (("127.0.0.1", 1),) * count)) as batches:
            sizes = [len(batch) for batch in batches if seen.extend(batch.rows.tolist()) or True]
        assert len(sizes) == 5
    assert sorted(seen) == list(range(70))


@pytest.mark.parametrize(("keep_bytes", "reads"), [(None, 1), (0, 3)])
def test_in_order_again(samples, keep_bytes, reads):
    how, read = options(keep_bytes=keep_bytes), []
    samples.media = lambda row, of=samples.media: (read.append(row), of(row))[1]
    with in_order(samples, how, 32, epochs=None) as batches:
        first, *others = [digests(batches.epoch()) for _ in range(3)]
    assert others == [first, first]
    assert sorted(read) == sorted([*range(70)] * reads)


@pytest.fixture
def job(store, tmp_path):
    def make(host):
        spec = JobSpec("train", "digits", store.url, code_version="c", image="i")
        return Job(spec, store, tmp_path, None, logging.getLogger("tests"), host=host)

    return make


def test_batches_are_shared_when_asked_for_and_where_they_can_be(job, tmp_path):
    alone, shared = options(), options(shared_by=2)
    host = HostCache(tmp_path / "cache", 1 << 20)
    assert stream_of(job(host), alone) is None
    assert stream_of(job(None), shared) is None
    stream = stream_of(job(host), shared)
    assert (stream.directory, stream.consumers, stream.cache) == (tmp_path / "cache/streams", 2, host)


def test_shared_batches_are_the_same(job, samples, tmp_path):
    part, how = Subset(samples, np.arange(5, 70)), options(shared_by=2)
    stream = dataclasses.replace(stream_of(job(HostCache(tmp_path / "c", 1)), how), consumers=1)
    with training_batches(part, how) as plain, training_batches(part, how, stream=stream) as shared:
        assert [batch.digest() for batch in shared] == [batch.digest() for batch in plain]
        assert shared.stats()["own"] == 0
    with EpochBatches(part, how) as plain, EpochBatches(part, how, stream) as shared:
        assert digests(shared.epoch(1)) == digests(plain.epoch(1))


def test_an_absent_partner_is_waited_for_once(job, samples, tmp_path):
    how = TrainOptions(shape=(8, 8, 1), batch_size=16, epochs=4, shared_by=2)
    stream = dataclasses.replace(stream_of(job(HostCache(tmp_path / "c", 1)), how), gather_seconds=0.3)
    seen = []
    with EpochBatches(samples, how) as plain, EpochBatches(samples, how, stream) as shared:
        for epoch in range(4):
            batches = shared.epoch(epoch)
            found = [next(batches)]
            looking = join(StreamSpec.of(samples, how.batches(drop_remainder=True), stream), 1)
            seen.append(looking.stats())
            looking.close()
            assert digests([*found, *batches]) == digests(plain.epoch(epoch))
    assert [told["gatherings"] for told in seen] == [1] * 4
    assert len({told["pid"] for told in seen}) == 1
