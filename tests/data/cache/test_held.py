from __future__ import annotations

import fcntl
import os

import pytest

from airflow_mlplat.data.cache import held as module
from airflow_mlplat.data.cache.held import Held, HeldShards


@pytest.fixture
def hold(tmp_path):
    """A function that maps a small file under a shared lock."""

    def make(name="a"):
        (tmp_path / name).write_bytes(b"0123456789")
        handle = os.open(tmp_path / name, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH)
        return Held(handle, 10)

    return make


def is_locked(path):
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_the_lock_goes_with_the_last_reference(hold, tmp_path):
    shards = HeldShards()
    shards.add("a", hold())
    reading = shards.get("a")
    shards.drop("a")
    shards.drop("a")
    assert is_locked(tmp_path / "a") and reading.data[2:4] == b"23"
    del reading
    assert not is_locked(tmp_path / "a")


def test_a_truncated_file_is_seen(hold, tmp_path):
    held = hold()
    assert held.is_whole()
    os.truncate(tmp_path / "a", 3)
    assert not held.is_whole()


def test_few_stay_mapped(hold, monkeypatch):
    monkeypatch.setattr(module, "OPEN_SHARDS", 2)
    shards = HeldShards()
    for name in "abc":
        shards.add(name, hold(name))
        shards.reads += 1
        if shards.get("a"):
            shards.get("a").last = shards.reads
    assert [shards.get(name) is not None for name in "abc"] == [True, False, True]


def test_the_idle_are_let_go(hold):
    shards = HeldShards()
    for name in "abc":
        shards.add(name, hold(name))
    shards.drop_idle({"a": 0, "b": 1})
    assert [shards.get(name) is not None for name in "abc"] == [True, True, False]
    shards.reads = 2 * module.IDLE_READS + 1
    shards.get("b").last = 1
    shards.drop_idle({})
    assert [shards.get(name) is not None for name in "ab"] == [False, True]
    shards.clear()
    assert shards.get("b") is None
