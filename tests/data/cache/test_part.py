from __future__ import annotations

import hashlib
import os

import pytest

from airflow_mlplat.data.cache.part import Part

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def part(tmp_path):
    """An empty part of the size of CONTENT."""
    path = tmp_path / "a.part"
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(handle, len(CONTENT))
    return Part(handle, path, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_written_in_any_order_hashed_in_one(part, tmp_path):
    part.write(5000, memoryview(CONTENT)[5000:])
    part.write(0, memoryview(CONTENT)[:5000])
    part.hash_to(5000)
    assert not part.is_whole()
    part.hash_to(len(CONTENT))
    part.hash_to(len(CONTENT))
    assert part.is_whole()
    os.close(part.publish(tmp_path / "a.tar"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert (tmp_path / "a.tar").read_bytes() == CONTENT


def test_other_bytes(part, tmp_path):
    part.write(0, memoryview(CONTENT[::-1]))
    part.hash_to(len(CONTENT))
    assert not part.is_whole()
    part.rewind()
    part.write(0, memoryview(CONTENT))
    part.hash_to(len(CONTENT))
    assert part.is_whole()
    part.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_be_renamed(part, tmp_path):
    with pytest.raises(OSError, match="No such file"):
        part.publish(tmp_path / "none" / "a.tar")
    part.discard()
