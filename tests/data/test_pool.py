"""Memory is used again when nothing refers to it, and never before."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from airflow_mlplat.data import BatchIterator
from airflow_mlplat.data.pool import BatchPool
from airflow_mlplat.errors import SpecError

SHAPE = (4, 2, 2, 3)


def address(array):
    return array.__array_interface__["data"][0]


def test_an_array_is_as_asked_for():
    array = BatchPool(SHAPE, 2).take()
    assert (array.shape, array.dtype, array.flags.c_contiguous, array.flags.writeable) == (SHAPE, np.uint8, True, True)
    array[...] = 7
    assert array.sum() == 7 * 48


@pytest.mark.parametrize(
    ("gives", "told"),
    [
        (lambda size: np.empty(size - 1, np.uint8), r"uint8 \(47,\)"),
        (lambda size: np.empty((size, 1), np.uint8), r"uint8 \(48, 1\)"),
        (lambda size: np.empty(size, np.int8), r"int8 \(48,\)"),
        (bytearray, "bytearray"),
        (lambda size: None, "None"),
        (lambda size: np.empty(2 * size, np.uint8)[::2], "C_CONTIGUOUS : False"),
        (lambda size: np.frombuffer(bytes(size), np.uint8), "WRITEABLE : False"),
    ],
)
def test_memory_that_is_none(gives, told):
    """Threads would write beyond it."""
    with pytest.raises(SpecError, match=rf"(?s)allocate gave no memory for a batch; expected .*; got .*{told}"):
        BatchPool(SHAPE, 2, gives).take()


def test_memory_is_aligned_for_frameworks():
    for size in (1, 100, 9_633_792):
        assert address(BatchPool((size,), 1).take()) % 64 == 0


def test_memory_is_used_again_when_no_view_is_left():
    pool = BatchPool(SHAPE, 2)
    array = pool.take()
    where = address(array)
    part = array[:2]
    flat = part.reshape(-1)
    bytes_of_it = memoryview(flat)
    for name in ("array", "part", "flat"):
        other = pool.take()
        assert address(other) != where, name
        del other
        if name == "array":
            del array
        elif name == "part":
            del part
        else:
            del flat
    del bytes_of_it
    gc.collect()
    assert where in {address(found) for found in [pool.take(), pool.take()]}


def test_no_more_are_kept_than_told():
    memory = []

    def allocate(size):
        memory.append(weakref.ref(made := np.zeros(size, np.uint8)))
        return made

    pool = BatchPool(SHAPE, 2, allocate)
    arrays = [pool.take() for _ in range(5)]
    assert len(memory) == 5
    del arrays
    gc.collect()
    assert sum(ref() is not None for ref in memory) == 2


def test_batches_that_are_kept_keep_their_pixels(memory, options):
    samples = memory(200)
    batches = list(BatchIterator(samples, options(prefetch=1), epochs=2))
    for batch in batches:
        assert [int(image.sum()) for image in batch.images] == [
            int(decoded.sum()) for decoded in (samples_pixels(samples, row) for row in batch.rows)
        ]


def samples_pixels(samples, row):
    from airflow_mlplat.data import decode

    return decode(samples.media(int(row)), (8, 8, 1))


def test_memory_that_others_keep_is_asked_for_each_time(memory, options):
    asked = []

    def allocate(size):
        asked.append(size)
        return np.empty(size, np.uint8)

    assert len(list(BatchIterator(memory(400), options(prefetch=3), epochs=2, allocate=allocate, spare=0))) == len(
        asked
    )


def test_an_iterator_uses_few_buffers(memory, options):
    asked = []

    def allocate(size):
        asked.append(size)
        return np.empty(size, np.uint8)

    for batch in BatchIterator(memory(400), options(prefetch=3), epochs=2, allocate=allocate):
        assert batch.images.shape[0] == 8
    assert set(asked) == {8 * 64}
    assert len(asked) <= 6
