"""A batch is made of parts by threads: whole, into memory of the pool, or with the error of its first bad sample."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import numpy as np
import pytest

from airflow_mlplat.data.filling import Filler
from airflow_mlplat.data.plan import Round
from airflow_mlplat.data.pool import ordinary
from airflow_mlplat.errors import CorruptionError, DataError


@pytest.fixture
def made(memory, options):
    """A function that makes the batch of some rows."""

    def make(rows, broken=None, threads=2, **changed):
        filler = Filler(memory(50, broken=broken), options(threads=threads, **changed), ordinary)
        rows = np.array(rows, np.int64)
        with ThreadPoolExecutor(threads) as pool:
            return filler.start(pool, Round(3, 17, rows, np.zeros_like(rows))).wait()

    return make


@pytest.mark.parametrize("threads", [1, 2, 7, 20])
@pytest.mark.parametrize("count", [0, 1, 7, 8])
def test_whole(made, digits, count, threads):
    rows = list(range(20, 20 + count))
    batch = made(rows, threads=threads)
    assert (batch.epoch, batch.position, batch.rows.tolist()) == (3, 17, rows)
    assert np.array_equal(batch.images[..., 0], digits[0][rows])
    assert np.array_equal(batch.labels, digits[1][rows])


def test_the_first_of_several_errors_in_the_batchs_order(made):
    for _ in range(5):
        with pytest.raises(DataError, match=r"^sample 'digit/9': media does not decode"):
            made([1, 9, 2, 8], broken={8: b"?", 9: b"?"}, threads=4)


@pytest.mark.parametrize("told", ["sample 'digit/9' is damaged", "a shard is damaged"])
def test_an_error_is_not_its_own_cause(memory, options, told):
    samples, error = memory(50), CorruptionError(told)
    samples.media = Mock(side_effect=error)
    with ThreadPoolExecutor(1) as pool, pytest.raises(CorruptionError, match="'digit/9'") as caught:
        Filler(samples, options(), ordinary).start(pool, Round(0, 1, np.array([9]), np.array([0]))).wait()
    assert (caught.value, caught.value.__cause__) == ((error, None) if "'digit/9'" in told else (caught.value, error))


def test_fitted_before_it_is_augmented(made, png, digits):
    wide = png(np.tile(np.arange(32, dtype=np.uint8) * 8, (8, 1)))
    batch = made([0], broken={0: wide}, fit="crop", augment=[{"name": "flip", "probability": 1.0}])
    assert batch.images[0, 0, :, 0].tolist() == [value * 8 for value in range(19, 11, -1)]


@pytest.mark.parametrize(("changed", "needs_threads"), [({}, False), ({"augment": [{"name": "flip"}]}, True)])
def test_a_small_batch_that_was_kept_needs_no_thread(memory, options, digits, changed, needs_threads):
    filler, rows = Filler(memory(50), options(**changed), ordinary, epochs=2), np.array([5, 9, 5])
    planned = Round(0, 3, rows, np.zeros_like(rows))
    with ThreadPoolExecutor(1) as pool:
        first = filler.start(pool, planned).wait()
    if needs_threads:
        with pytest.raises(RuntimeError, match="after shutdown"):
            filler.start(pool, planned)
        return
    again = filler.start(pool, planned).wait()
    assert np.array_equal(again.images[..., 0], digits[0][rows])
    assert again.digest() == first.digest()
    assert not np.shares_memory(again.images, first.images)
