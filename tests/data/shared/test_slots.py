"""Slots: what is written is read, what somebody looks at is never written again."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.augment import Mixed
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.protocol import ProtocolError
from airflow_mlplat.data.shared.slots import Slots, copied, read
from tests.data.shared.conftest import SECONDS


def batch_of(n, value=1, mixed=False):
    images = np.full((n, 3, 5, 3), value, np.uint8)
    extra = Mixed(images, np.arange(n), np.full(n, 0.5, np.float32)) if mixed else None
    return Batch(images, np.arange(n), np.arange(n) + 10, 2, n, extra)


@pytest.fixture
def slots(tmp_path):
    made = Slots(tmp_path)
    yield made
    made.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_what_is_written_is_read(slots, tmp_path, n, mixed):
    batch = batch_of(n, mixed=mixed)
    _, told = slots.write(batch)
    found, mapped = read(tmp_path, told)
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
    _, told = slots.write(batch_of(4))
    first, second = read(tmp_path, told)[0], read(tmp_path, told)[0]
    first.images[...] = 9
    assert second.digest() == read(tmp_path, told)[0].digest() == batch_of(4).digest()


def test_a_slot_is_used_again_when_nobody_looks(slots, tmp_path):
    slot, told = slots.write(batch_of(4))
    slot.leases = 1
    slots.settle(slot)
    slot.in_window = False
    slots.settle(slot)
    other, _ = slots.write(batch_of(4, 2))  # it is leased
    assert other is not slot
    slot.leases = 0
    slots.settle(slot)
    slots.settle(slot)  # once only
    again, told_again = slots.write(batch_of(4, 3))
    assert (again, told_again["file"], len(list(tmp_path.iterdir()))) == (slot, told["file"], 2)
    assert read(tmp_path, told_again)[0].images.max() == 3


def test_a_slot_whose_looker_was_lost_is_never_written_again(slots, tmp_path):
    slot, told = slots.write(batch_of(4))
    looked_at = read(tmp_path, told)[0]
    slot.leases, slot.in_window, slot.lost = 1, False, True
    slots.settle(slot)
    assert read(tmp_path, told)[0].digest() == looked_at.digest()  # another one is about to open it
    slot.leases = 0
    slots.settle(slot)
    assert list(tmp_path.iterdir()) == []
    for value in range(2, 5):
        slots.write(batch_of(4, value))
    assert looked_at.digest() == batch_of(4).digest()


def test_a_slot_that_is_too_small_is_replaced(slots, tmp_path):
    slot, _ = slots.write(batch_of(1))
    slot.in_window = False
    slots.settle(slot)
    other, told = slots.write(batch_of(100))
    assert other is not slot
    assert [path.name for path in tmp_path.iterdir()] == [told["file"]]
    assert read(tmp_path, told)[0].digest() == batch_of(100).digest()


def test_a_folder_that_is_gone(slots, tmp_path):
    with pytest.raises(FileNotFoundError):
        Slots(tmp_path / "gone").write(batch_of(1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"file": "../x"}, r"that is no slot; expected slot-.*; got '\.\./x'"),
        ({"file": "slot-00000000-0/../../x"}, "that is no slot"),
        ({"arrays": {}}, "message describes no batch; got {}"),
        ({"arrays": {"images": 1}}, "message describes no batch"),
        ({"arrays": {"images": ["|u1", [1 << 40], 0]}}, "message describes no batch"),
        ({"arrays": {"images": ["|u1", [-1], 0]}}, "message describes no batch"),
        ({"arrays": {"images": ["|u1", [1], -1]}}, "message describes no batch"),
        ({"arrays": {"images": ["|u1", [1], 1 << 40]}}, "message describes no batch"),
        ({"arrays": {"images": ["|O", [1], 0]}}, r"message describes no batch; .*dtype '\|O'"),
        ({"arrays": {"images": [[], [1], 0]}}, "message describes no batch"),
    ],
)
def test_nonsense(slots, tmp_path, changed, message):
    _, told = slots.write(batch_of(4))
    with pytest.raises(ProtocolError, match=message):
        read(tmp_path, {**told, **changed})


def test_files_that_are_no_slots(slots, tmp_path):
    _, told = slots.write(batch_of(4))
    name = "slot-00000000-0"
    with pytest.raises(FileNotFoundError):
        read(tmp_path, {**told, "file": name})
    (tmp_path / name).touch()
    with pytest.raises(ProtocolError, match="slot is empty; got slot-00000000-0"):
        read(tmp_path, {**told, "file": name})
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(tmp_path / told["file"])
    with pytest.raises(OSError, match="symbolic links"):
        read(tmp_path, {**told, "file": name})
    (tmp_path / name).unlink()


def test_after_the_end_nothing_is_written(slots, tmp_path):
    slots.write(batch_of(2))
    slots.close()
    with pytest.raises(OSError, match="the slots are closed"):
        slots.write(batch_of(2))
    assert list(tmp_path.iterdir()) == []


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_slot_that_is_written_is_nobody_elses(slots, tmp_path, slow_disk):
    """Others are taken back and given out meanwhile."""
    slow_disk.leave.set()
    looked_at, _ = slots.write(batch_of(4))
    slow_disk.asked.clear()
    slow_disk.leave.clear()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(slots.write, batch_of(4, 2))
        assert slow_disk.asked.wait(SECONDS)
        looked_at.in_window = False
        slots.settle(looked_at)
        second = threads.submit(slots.write, batch_of(4, 3))
        slow_disk.leave.set()
        (one, told), (other, told_other) = first.result(), second.result()
    assert other is looked_at is not one
    assert [read(tmp_path, each)[0].images.max() for each in (told, told_other)] == [2, 3]


def test_closed_while_one_is_written(tmp_path, slow_disk):
    """What is written then goes nowhere, above all into no other file that has the descriptor's number by now."""
    slots, before = Slots(tmp_path), open_files()
    with ThreadPoolExecutor(1) as threads:
        written = threads.submit(slots.write, batch_of(4))
        assert slow_disk.asked.wait(SECONDS)
        slots.close()
        assert list(tmp_path.iterdir()) == []
        with (tmp_path / "other").open("wb"):
            slow_disk.leave.set()
            with pytest.raises(OSError, match="the slots are closed"):
                written.result()
    assert (tmp_path / "other").read_bytes() == b""
    assert open_files() == before


@pytest.mark.parametrize(("call", "used"), [("posix_fallocate", False), ("pwrite", False), ("pwrite", True)])
def test_a_folder_that_is_full(slots, tmp_path, monkeypatch, call, used):
    """A slot that cannot be written is gone, be it a new one or one that was used before."""
    if used:
        slot, _ = slots.write(batch_of(4))
        slot.in_window = False
        slots.settle(slot)
    before = open_files() - used

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="no space"):
            slots.write(batch_of(4))
    assert (list(tmp_path.iterdir()), open_files()) == ([], before)
    _, told = slots.write(batch_of(4))
    assert read(tmp_path, told)[0].digest() == batch_of(4).digest()
