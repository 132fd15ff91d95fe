"""Slots: what is written is read, what somebody looks at is never written again."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data.augment import Mixed
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.protocol import ProtocolError
from airflow_mlplat.data.shared.slots import Slots, copied, read


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
    assert (again, told_again["file"], len(slots)) == (slot, told["file"], 2)
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
    assert (other is slot, len(slots)) == (False, 1)
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
