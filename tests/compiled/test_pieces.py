"""Pieces of memory are copied, and compared with their checksums."""

from __future__ import annotations

import itertools
import mmap
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from airflow_mlplat.compiled import pieces as module
from airflow_mlplat.compiled.library import locked_library
from airflow_mlplat.compiled.pieces import GROUP, pieces
from airflow_mlplat.store.checksum import crc32c
from tests.compiled.walls import noise

pytestmark = pytest.mark.usefixtures("compiled")
MEMORIES = [noise(9000, seed=1).tobytes(), noise(70_000, seed=2).tobytes()]
SIZES = np.array([0, 1, 7, 8, 9, 63, 64, 511, 512, 513, 1535, 1536, 1537, 3071, 3073, 4096, 5000, 8191])


def drawn(count):
    """(which, offsets, sizes) of pieces here and there, of every size of `SIZES`."""
    draws = np.random.RandomState(3)
    which = draws.randint(0, len(MEMORIES), count)
    sizes = np.resize(SIZES, count)
    offsets = (draws.random_sample(count) * (np.array([len(m) for m in MEMORIES])[which] - sizes + 1)).astype(np.int64)
    return which, offsets, sizes


def sliced(which, offsets, sizes):
    return [MEMORIES[w][o : o + s] for w, o, s in zip(which.tolist(), offsets.tolist(), sizes.tolist())]


@pytest.mark.parametrize("count", [0, 1, GROUP - 1, GROUP, GROUP + 1, 500])
def test_they_are_the_slices(count):
    given = drawn(count)
    assert list(pieces(MEMORIES, *given)) == sliced(*given)


def test_every_size_has_its_checksum():
    """Of all remainders of three lanes, of words and of bytes."""
    sizes = np.concatenate([np.arange(3200), [69_000]])
    given = np.ones(len(sizes), np.int64), sizes % 1000, sizes
    right = sliced(*given)
    sums = np.array([crc32c(piece) for piece in right], np.uint32)
    assert list(pieces(MEMORIES, *given, sums)) == right
    assert list(pieces(MEMORIES, *given, sums ^ np.uint32(1 << 31))) == [None] * len(sizes)


def test_those_of_another_checksum_are_none():
    given = drawn(100)
    right = sliced(*given)
    sums = np.array([crc32c(piece) for piece in right], np.uint32)
    sums[[0, 17, 99]] += 1
    found = list(pieces(MEMORIES, *given, sums))
    assert [i for i, piece in enumerate(found) if piece is None] == [0, 17, 99]
    assert all(piece in (None, other) for piece, other in zip(found, right))


@pytest.mark.parametrize(
    ("offset", "size"), [(-1, 5), (0, -1), (0, 9001), (9000, 1), (9001, 0), (1, 2**63 - 1), (2**63 - 1, 1)]
)
def test_a_piece_beyond_its_memory_is_left_to_python(offset, size):
    which, offsets, sizes = (np.array([0, number, 0]) for number in (0, offset, size))
    assert pieces(MEMORIES, which, offsets, sizes) is None
    assert list(pieces(MEMORIES, which, np.array([0, 9000, 0]), np.array([0, 0, 9000])))[1:] == [b"", MEMORIES[0]]


def test_without_the_library_it_is_left_to_python(monkeypatch):
    monkeypatch.setattr(module, "locked_library", lambda: None)
    assert pieces(MEMORIES, *drawn(1)) is None


def test_a_map_stays_until_the_last_piece():
    content = noise(1 << 20).tobytes()
    memory = mmap.mmap(-1, len(content))
    memory[:] = content
    starts = np.arange(0, len(content), 4096)
    found = pieces([memory], np.zeros(len(starts), np.int64), starts, np.full(len(starts), 4096))
    first = next(found)
    del memory
    assert b"".join(itertools.chain([first], found)) == content


def test_each_piece_is_freed():
    given = drawn(200)
    wrong = np.zeros(200, np.uint32)
    for sums in (None, wrong):
        list(pieces(MEMORIES, *given, sums))
        tracemalloc.start()
        for _ in range(20):
            assert sum(1 for _ in pieces(MEMORIES, *given, sums)) == 200
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert held < 20_000, "of 15 MB"


def test_without_memory():
    """What was copied before is freed."""
    memory = np.frombuffer(MEMORIES[1], np.uint8)
    begins, sizes = np.full(2, memory.ctypes.data), np.array([len(memory), 2**62])
    tracemalloc.start()
    for _ in range(20):
        with pytest.raises(MemoryError):
            locked_library().mlplat_pieces(begins.ctypes.data, sizes.ctypes.data, None, 0, 2, 2)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < len(memory)


def test_numbers_in_any_shape():
    given = drawn(100)
    right = sliced(*given)
    sums = np.array([(crc32c(piece), 0) for piece in right], "<u4")[:, 0]
    others = [sums, sums.astype(">u4"), sums.astype(np.int64)]
    assert not sums.flags.c_contiguous
    for kind in (">i8", np.int32, np.uint64):
        which, offsets, sizes = (np.repeat(array.astype(kind), 2)[::2] for array in given)
        for other in others:
            assert list(pieces(MEMORIES, which.astype(np.int64), offsets, sizes, other)) == right


def test_numbers_that_change_later():
    which, offsets, sizes = drawn(100)
    right = sliced(which, offsets, sizes)
    found = pieces(MEMORIES, which, offsets, sizes)
    sizes[:], offsets[:] = 1 << 60, 1 << 60
    assert list(found) == right


@pytest.mark.parametrize(("size", "group"), [(1000, GROUP), (30_000, 8), (69_000, 3), (500_000, 1)])
def test_few_large_ones_are_copied_at_once(monkeypatch, size, group):
    """While they are, Python's other threads wait."""
    calls = []

    class Counted:
        def mlplat_pieces(self, *given):
            start, stop = given[3:5]
            calls.append(stop - start)
            return [b""] * (stop - start)

    monkeypatch.setattr(module, "locked_library", Counted)
    zeros = np.zeros(48, np.int64)
    assert len(list(pieces([bytes(size)], zeros, zeros, np.full(48, size)))) == sum(calls) == 48
    assert set(calls) == {group}


def test_nothing_beyond_the_memory_is_touched():
    code = "from tests.compiled.walls import pieces_within_walls; pieces_within_walls()"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
