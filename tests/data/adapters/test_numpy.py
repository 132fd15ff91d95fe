"""Plain arrays: a pass is an epoch, the same on every version of numpy and Pillow."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data import BatchIterator, IteratorOptions, batch_digest
from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.errors import SpecError
from airflow_mlplat.store import Samples, open_store


def test_a_pass_is_an_epoch(span, expected):
    url, ref = span
    samples = Samples(open_store(url), ref)
    how = IteratorOptions(batch_size=8, shape=(8, 8, 1), seed=4)
    batches = [batch.digest() for batch in BatchIterator(samples, how, epochs=2)]
    assert expected[0] == [batches[:8], batches[8:], []]
    iterator = BatchIterator(samples, how, epochs=2)
    images, labels = next(arrays(iterator))
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == ((8, 8, 8, 1), np.uint8, (8,), np.int64)
    assert batch_digest(images, labels) == batches[0]


def test_shapes_of_what_is_expected(expected):
    assert [[len(epoch) for epoch in epochs] for epochs in expected] == [
        [8, 8, 0],
        [8, 8, 0],
        [2, 2, 0],
        [2, 2, 0],
        [31],
    ]
    assert expected[0][0] != expected[0][1]
    assert expected[3][0] == expected[3][1]  # the manifest's order


def test_no_thread_is_left(given):
    assert given("numpy")["left"] == []


@pytest.mark.parametrize("environment", ["job-half", "tensorflow", "mxnet", "bench", "jax", "caffe"])
def test_equal_on_every_version_of_numpy(given, expected, environment):
    assert given("numpy", environment)["digests"] == {"arrays": expected}


def test_mixed_images_have_no_one_label(span):
    samples = Samples(open_store(span[0]), span[1])
    how = IteratorOptions(batch_size=8, shape=(8, 8, 1), augment=[{"name": "mixup"}])
    with pytest.raises(SpecError, match=r"mixed images have no one label, .*; expected no mixup and no cutmix"):
        next(arrays(BatchIterator(samples, how)))
