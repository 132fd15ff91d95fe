"""Slots: what is made in them is read, what somebody looks at is never written again."""

from __future__ import annotations

import errno
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.augment import Mixed
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.slot_files import copied, read
from airflow_mlplat.data.shared.slots import Slots
from airflow_mlplat.errors import PlatformError
from tests.data.shared.conftest import SECONDS

MOST, SHAPE = 100, (3, 5, 3)


def batch_in(memory, n, value=1, mixed=False):
    """A batch of images in such memory."""
    images = memory.reshape(-1, *SHAPE)[:n]
    images[...] = value
    extra = Mixed(images, np.arange(n), np.full(n, 0.5, np.float32)) if mixed else None
    return Batch(images, np.arange(n), np.arange(n) + 10, 2, n, extra)


def batch_of(n, value=1, mixed=False):
    return batch_in(np.empty(n * 45, np.uint8), n, value, mixed)


def put(slots, n, value=1, mixed=False, most=4):
    """What `Slots.put` gives for a batch of n images in a slot for so many."""
    return slots.put(batch_in(slots.allocate(most * 45), n, value, mixed))


def settled(slots, slot):
    slot.in_window = False
    slots.settle(slot)


@pytest.fixture
def slots(tmp_path):
    made = Slots(tmp_path, MOST)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_images_that_lie_elsewhere(slots):
    memory = slots.allocate(180)
    whole = batch_in(memory, 4)
    for images in (whole.images.copy(), whole.images[1:], whole.images[::2]):
        rows = np.arange(len(images))
        with pytest.raises(PlatformError, match="images of a batch were not made in a slot"):
            slots.put(Batch(images, rows, rows, 0, 4))


def test_a_batch_that_does_not_fit_harms_no_other(slots, tmp_path):
    too_many = np.arange(100 * MOST)
    with pytest.raises(ValueError, match="broadcast"):
        slots.put(Batch(batch_in(slots.allocate(180), 4).images, too_many, too_many, 0, 4))
    _, told = put(slots, 4)
    assert read(tmp_path, told)[0].digest() == batch_of(4).digest()


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("n", [0, 1, 7, MOST])
def test_what_is_put_is_read(slots, tmp_path, n, mixed):
    batch = batch_of(n, mixed=mixed)
    _, told = put(slots, n, mixed=mixed, most=MOST)
    found, mapped = read(tmp_path, told)
    places = [place for _, _, place in told["arrays"].values()]
    assert [place % 64 for place in places] == [0] * (5 if mixed else 3)
    for one in (found, copied(found)):
        assert one.digest() == batch.digest()
        assert (one.epoch, one.position, one.rows.tolist()) == (2, n, batch.rows.tolist())
        assert (one.mixed is not None) == mixed
        if mixed:
            assert one.mixed.partners.tolist() == list(range(n))
            assert one.mixed.shares.tolist() == [0.5] * n
            assert one.mixed.images is one.images
    assert not mapped.closed
    if n:
        assert found.images.base is mapped
        assert copied(found).images.base is None


def test_pages_are_private(slots, tmp_path):
    _, told = put(slots, 4)
    first, second = read(tmp_path, told)[0], read(tmp_path, told)[0]
    first.images[...] = 9
    assert second.digest() == read(tmp_path, told)[0].digest() == batch_of(4).digest()


def test_a_slot_is_used_again_when_nobody_looks(slots, tmp_path):
    slot, told = put(slots, 4)
    slot.leases = 1
    slots.settle(slot)
    settled(slots, slot)
    other, _ = put(slots, 4, 2)  # it is leased
    assert other is not slot
    slot.leases = 0
    slots.settle(slot)
    slots.settle(slot)  # once only
    again, told_again = put(slots, 4, 3)
    assert (again, told_again["file"], len(list(tmp_path.iterdir()))) == (slot, told["file"], 2)
    assert read(tmp_path, told_again)[0].images.max() == 3


def test_a_slot_whose_looker_was_lost_is_never_written_again(slots, tmp_path):
    slot, told = put(slots, 4)
    looked_at = read(tmp_path, told)[0]
    slot.leases, slot.in_window, slot.lost = 1, False, True
    slots.settle(slot)
    assert read(tmp_path, told)[0].digest() == looked_at.digest()  # another one is about to open it
    slot.leases = 0
    slots.settle(slot)
    assert list(tmp_path.iterdir()) == []
    for value in range(2, 5):
        put(slots, 4, value)
    assert looked_at.digest() == batch_of(4).digest()


def test_memory_of_which_no_batch_was_made_is_used_again(slots, tmp_path):
    memory = slots.allocate(180)
    part = memory[:90]
    del memory
    other = slots.allocate(180)
    files = set(tmp_path.iterdir())
    assert len(files) == 2, "what refers to a part of it refers to it"
    del part
    again = slots.allocate(180)
    assert set(tmp_path.iterdir()) == files
    assert not np.shares_memory(other, again)


def test_memory_is_not_given_twice_when_a_batch_of_it_ends_late(slots, tmp_path):
    """The server lets go of a batch after others have let go of its slot, which is in use again by then."""
    memory = slots.allocate(180)
    batch = batch_in(memory, 4)
    settled(slots, slots.put(batch)[0])
    again = slots.allocate(180)
    assert np.shares_memory(again, memory)
    del memory, batch
    gc.collect()
    assert not np.shares_memory(again, slots.allocate(180))
    _, told = slots.put(batch_in(again, 4, 3))
    assert read(tmp_path, told)[0].images.max() == 3


def test_a_slot_that_is_too_small_is_replaced(slots, tmp_path):
    settled(slots, put(slots, 1, most=1)[0])
    _, told = put(slots, 4, most=4)
    assert [path.name for path in tmp_path.iterdir()] == [told["file"]]
    assert read(tmp_path, told)[0].digest() == batch_of(4).digest()


def test_a_folder_that_is_gone(slots, tmp_path):
    with pytest.raises(FileNotFoundError):
        Slots(tmp_path / "gone", MOST).allocate(1)


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_after_the_end_nothing_is_made(slots, tmp_path):
    put(slots, 2)
    memory = slots.allocate(180)
    slots.close()
    assert list(tmp_path.iterdir()) == []
    for late in (lambda: slots.put(batch_in(memory, 2)), lambda: slots.allocate(180)):
        with pytest.raises(OSError, match="the slots are closed"):
            late()
    assert list(tmp_path.iterdir()) == []


def test_a_slot_that_is_made_is_nobody_elses(slots, tmp_path, slow_disk):
    """Others are taken back and given out meanwhile."""
    slow_disk.leave.set()
    looked_at, _ = put(slots, 4)
    slow_disk.asked.clear()
    slow_disk.leave.clear()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(put, slots, 4, 2)
        assert slow_disk.asked.wait(SECONDS)
        settled(slots, looked_at)
        other, told_other = threads.submit(put, slots, 4, 3).result(SECONDS)
        slow_disk.leave.set()
        one, told = first.result(SECONDS)
    assert other is looked_at is not one
    assert [read(tmp_path, each)[0].images.max() for each in (told, told_other)] == [2, 3]


def test_closed_while_one_is_made(tmp_path, slow_disk):
    slots, before = Slots(tmp_path, MOST), open_files()
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(slots.allocate, 180)
        assert slow_disk.asked.wait(SECONDS)
        slots.close()
        assert list(tmp_path.iterdir()) == []
        slow_disk.leave.set()
        with pytest.raises(OSError, match="the slots are closed"):
            made.result()
        del made
    assert (list(tmp_path.iterdir()), open_files()) == ([], before)


def test_a_folder_that_is_full(slots, tmp_path, monkeypatch):
    """A slot that cannot be made is gone; one that was made before has its room."""
    slot, _ = put(slots, 4)
    before, write = open_files(), os.pwrite

    def full(descriptor, content, offset):
        if not offset:
            return write(descriptor, content[:100], offset)
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="no space"):
            slots.allocate(180)
        assert (list(tmp_path.iterdir()), open_files()) == ([slot.path], before)
        settled(slots, slot)
        _, told = put(slots, 4)
    assert read(tmp_path, told)[0].digest() == batch_of(4).digest()


def test_the_memory_of_a_slot_that_was_lost_is_let_go_of(slots):
    before = open_files()
    slot, _ = put(slots, 4)
    slot.in_window, slot.lost = False, True
    slots.settle(slot)
    del slot
    assert open_files() == before
