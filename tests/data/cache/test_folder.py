"""The folder: room, locks, damage."""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
from math import inf

import pytest

from airflow_mlplat.data.cache import ShardCache
from airflow_mlplat.data.cache import folder as module
from airflow_mlplat.data.cache.folder import BusyError, FullError
from airflow_mlplat.data.cache.part import unlock
from airflow_mlplat.errors import ConfigError, SpecError

from .conftest import SHARD_BYTES

ROOM = -(-SHARD_BYTES // 4096) * 4096
"""That one of the shards takes."""

HOLDER = """
import os, sys, time
from airflow_mlplat.data.cache import ShardCache
part = ShardCache(sys.argv[1], 10**9).claim(sys.argv[2], 300_000, lambda other: 0)
print("claimed", flush=True)
time.sleep(600)
"""


@pytest.fixture
def put(folder, shards):
    """A function that puts shards of some numbers into a cache of a given room, the first the longest ago."""

    def fill(room, *numbers, **options):
        cache = ShardCache(folder, room * ROOM)
        for number in numbers:
            name = list(shards)[number]
            part = cache.claim(name, SHARD_BYTES, options.get("distance", lambda other: inf))
            part.write(0, memoryview(shards[name]))
            part.hash_to(SHARD_BYTES)
            unlock(cache.publish(part))
        return cache

    return fill


def there(cache, shards):
    return [number for number, name in enumerate(shards) if cache.has(name)]


def test_put_and_open(put, shards):
    cache = put(6, 0, 1)
    handle = cache.open(next(iter(shards)), SHARD_BYTES)
    assert os.pread(handle, SHARD_BYTES, 0) == next(iter(shards.values()))
    assert cache.open(list(shards)[2], SHARD_BYTES) is None
    assert cache.used() == 2 * ROOM
    os.close(handle)


def test_which_shards_are_there(put, shards):
    names = list(shards)
    assert put(6, 0, 4).shards() == {names[0], names[4]}


def test_the_longest_unused_goes_first(put, shards):
    cache = put(3, 0, 1, 2)
    os.close(cache.open(next(iter(shards)), SHARD_BYTES))
    put(3, 3, 4)
    assert there(cache, shards) == [0, 3, 4]


def test_the_furthest_goes_first(put, shards):
    names = list(shards)
    cache = put(3, 0, 1, 2)
    put(3, 3, distance={names[0]: 2, names[1]: 9, names[2]: 5}.get)
    assert there(cache, shards) == [0, 2, 3]


def test_what_is_needed_sooner_stays(put, shards):
    cache = put(2, 0, 1)
    with pytest.raises(FullError, match="all of it is in use, or needed sooner"):
        put(2, 2, distance=lambda other: -1.0)
    assert there(cache, shards) == [0, 1]
    assert list(cache.folder.glob("*.part")) == []


def test_what_is_mapped_stays(put, shards):
    cache = put(2, 0, 1)
    handles = [cache.open(name, SHARD_BYTES) for name in list(shards)[:2]]
    with pytest.raises(FullError, match="all of it is in use"):
        put(2, 2)
    os.close(handles[1])
    put(2, 2)
    assert there(cache, shards) == [0, 2]
    os.close(handles[0])


def test_larger_than_the_cache(folder, shards):
    with pytest.raises(FullError, match="larger than the cache"):
        ShardCache(folder, ROOM - 1).claim(next(iter(shards)), SHARD_BYTES, lambda other: inf)


def test_a_part_counts_from_its_start(put, shards):
    cache = put(2, 0)
    part = cache.claim(list(shards)[1], SHARD_BYTES, lambda other: -1.0)
    assert cache.used() == 2 * ROOM
    with pytest.raises(FullError):
        cache.claim(list(shards)[2], SHARD_BYTES, lambda other: -1.0)
    part.discard()
    assert cache.used() == ROOM


def test_one_writer(put, shards):
    cache, name = put(6, 0), list(shards)[1]
    part = cache.claim(name, SHARD_BYTES, lambda other: inf)
    with pytest.raises(BusyError) as busy:
        cache.claim(name, SHARD_BYTES, lambda other: inf)
    assert 0 <= busy.value.seconds < 60
    part.discard()
    with pytest.raises(BusyError):
        cache.claim(next(iter(shards)), SHARD_BYTES, lambda other: inf)  # finished since it was looked for


def test_what_a_killed_process_leaves_is_removed(put, shards):
    cache, names = put(2), list(shards)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, cache.folder, names[0]], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"claimed\n"
    with pytest.raises(BusyError):
        cache.claim(names[0], SHARD_BYTES, lambda other: inf)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert len(list(cache.folder.glob("*.part"))) == 1
    put(2, 1, 2)  # there is room for both: what was left counts no more
    assert there(cache, shards) == [1, 2]
    assert list(cache.folder.glob("*.part")) == []


def test_its_own_leftover_is_written_anew(put, shards):
    cache = put(2)
    (cache.folder / (next(iter(shards)) + ".part")).write_bytes(b"half")
    put(2, 0)
    assert cache.path(next(iter(shards))).read_bytes() == next(iter(shards.values()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, 1000),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * SHARD_BYTES),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    ],
    ids=["truncated", "empty", "zeros", "longer"],
)
def test_a_damaged_file_is_removed(put, shards, damage):
    cache, name = put(2, 0), next(iter(shards))
    damage(cache.path(name))
    assert cache.open(name, SHARD_BYTES) is None
    assert (there(cache, shards), cache.damaged) == ([], 1)


def test_a_file_is_hashed_once_a_boot(put, shards, monkeypatch):
    cache, name, hashed = put(2, 0), next(iter(shards)), []
    real = module._sha256
    monkeypatch.setattr(module, "_sha256", lambda handle: hashed.append(1) or real(handle))
    os.close(cache.open(name, SHARD_BYTES))
    assert hashed == []  # whoever put it has
    os.utime(cache.path(name))
    for _ in range(2):
        os.close(cache.open(name, SHARD_BYTES))
    assert hashed == [1]


def test_recheck_looks_though_the_stamp_holds(put, shards):
    cache, name = put(2, 0), next(iter(shards))
    assert not cache.recheck(name)
    stat = cache.path(name).stat()
    cache.path(name).write_bytes(b"\0" * SHARD_BYTES)
    os.utime(cache.path(name), ns=(stat.st_atime_ns, stat.st_mtime_ns))  # a disk that forgets tells nobody
    assert cache.recheck(name) and cache.recheck(name)
    assert there(cache, shards) == []


def test_a_full_disk_is_no_room(put, monkeypatch):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(FullError, match="File too large"):
            put(6, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_stopped_process_keeps_nobody_for_long(put, shards, monkeypatch):
    cache = put(2)
    monkeypatch.setattr(module, "LOCK_SECONDS", 0.05)
    with (cache.folder / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(FullError, match="its lock is held by a process that does not go on"):
            cache.claim(next(iter(shards)), SHARD_BYTES, lambda other: inf)


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_a_bound_that_is_none(folder, value):
    with pytest.raises(SpecError, match=rf"max_bytes must be a number of bytes; expected 1 or more; got {value}"):
        ShardCache(folder, value)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        ConfigError, match=r"the cache \S+ cannot be written; got Not a directory. choose another folder"
    ):
        ShardCache(tmp_path / "file" / "cache", 1)


def test_a_part_that_cannot_be_renamed(put, shards):
    cache, name = put(2), next(iter(shards))
    part = cache.claim(name, SHARD_BYTES, lambda other: inf)
    cache.path(name).mkdir()
    with pytest.raises(OSError, match="directory"):
        cache.publish(part)
    part.discard()
    assert list(cache.folder.glob("*.part")) == []
