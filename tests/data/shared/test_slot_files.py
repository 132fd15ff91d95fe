"""A message that does not describe a batch in a slot is told so, and nothing beyond the file is read."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.protocol import ProtocolError
from airflow_mlplat.data.shared.slot_files import read
from airflow_mlplat.data.shared.slots import Slots


@pytest.fixture
def told(tmp_path):
    """Of a batch of four in `tmp_path`."""
    slots = Slots(tmp_path, 4)
    images = slots.allocate(180).reshape(4, 3, 5, 3)
    yield slots.put(Batch(images, np.arange(4), np.arange(4), 2, 4))[1]
    slots.close()


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
def test_nonsense(told, tmp_path, changed, message):
    with pytest.raises(ProtocolError, match=message):
        read(tmp_path, {**told, **changed})


def test_files_that_are_no_slots(told, tmp_path):
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
