"""Reading through the cache, in one process and in several."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.cache import CachedReader, ShardCache
from airflow_mlplat.data.cache import folder as folders
from airflow_mlplat.data.cache import reader as module
from airflow_mlplat.errors import CorruptionError, SpecError
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from airflow_mlplat.store.backend import open_backend

from .conftest import SHARD_BYTES, until

ROOM = -(-SHARD_BYTES // 4096) * 4096
CLIENT = Path(__file__).with_name("client.py")


@pytest.fixture
def client(served, folder, root):
    """A function that starts a process that reads all shards some times; all are ended with the test."""
    started = []

    def start(shards, rounds=1, max_bytes=1 << 30):
        command = [sys.executable, CLIENT, served.url, folder, str(max_bytes), str(rounds), *shards]
        env = {**os.environ, "PYTHONPATH": str(root)}
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env))
        assert started[-1].stdout.readline() == "begins\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def ended(process):
    """The statistics of a client that read nothing wrong."""
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(out)


def test_reads_and_counts(reader, shards, served):
    one = reader()
    for name, content in shards.items():
        assert one.read(name, 100, 50) == content[100:150]
        assert one.read(name, SHARD_BYTES - 10, 50) == content[-10:]
    assert one.read(next(iter(shards)), SHARD_BYTES + 10, 50) == b""
    stats = one.stats()
    assert json.loads(json.dumps(stats)) == stats
    assert stats.pop("wait_seconds") > 0
    assert stats == {
        "hits": 7, "misses": 6, "streamed": 0, "bytes_served": 360, "bytes_fetched": 6 * SHARD_BYTES,
        "shards_fetched": 6, "refetched": 0, "evictions": 0, "damaged": 0,
    }  # fmt: skip


def test_the_next_reader_fetches_nothing(reader, shards, served):
    first, second = reader(), reader()
    for one in (first, second):
        for name in shards:
            one.read(name, 0, 1)
    assert served.sent == 6 * SHARD_BYTES
    assert second.stats()["hits"] == 6 and second.stats()["bytes_fetched"] == 0


def test_samples_through_the_cache(served, folder, threads, tmp_path, root):
    rows = [Sample(f"{i:03d}", b"\x89PNG" + os.urandom(5000), 0, {"i": i}) for i in range(40)]
    with SpanWriter(open_store(tmp_path / "store"), "pets", "day", ["cat"], shard_bytes=60_000) as writer:
        for row in rows:
            writer.add(row)
        ref = writer.commit()
    store = open_store(served.url)
    sizes = {shard["sha256"]: shard["bytes"] for shard in store.manifest(ref)["shards"]}
    with CachedReader(store.backend, ShardCache(folder, 1 << 30), sizes) as one:
        samples = Samples(store, ref, one)
        assert [samples.media(i) for i in range(40)] == [row.media for row in rows]
        assert [samples.metadata(i) for i in range(40)] == [row.metadata for row in rows]
        assert one.stats()["bytes_fetched"] == sum(sizes.values())
        many = np.tile(np.arange(40), 20)
        assert list(samples.media_of(many)) == [rows[row].media for row in many]
        name = store.manifest(ref)["shards"][0]["sha256"]
        with one.cache.path(name).open("r+b") as file:
            file.seek(512 + 20)
            file.write(b"\0" * 100)
        assert samples.media(0, check=False) != rows[0].media == next(samples.media_of(many))


def test_many_threads(reader, shards, served):
    one, names = reader(), list(shards)
    one.hint(names)

    def check(seed):
        draw = random.Random(seed)
        for _ in range(300):
            name, offset = draw.choice(names), draw.randrange(SHARD_BYTES)
            assert one.read(name, offset, 1000) == shards[name][offset : offset + 1000]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(check, range(8)))
    assert served.sent == 6 * SHARD_BYTES
    stats = one.stats()
    assert stats["hits"] + stats["misses"] == 2400


def test_without_room_it_streams(reader, shards):
    one = reader(max_bytes=ROOM - 1)
    for name, content in shards.items():
        assert one.read(name, 1000, 100) == content[1000:1100]
    assert one.stats()["streamed"] == 6
    assert one.cache.used() == 0


def test_room_is_looked_for_again(reader, shards, monkeypatch):
    monkeypatch.setattr(module, "REFUSED_SECONDS", 0.0)
    names, one = list(shards), reader(max_bytes=ROOM)
    one.read(names[0], 0, 1)
    handle = one.cache.open(names[0], SHARD_BYTES)
    one.read(names[1], 0, 1)
    assert one.stats()["streamed"] == 1
    os.close(handle)
    one.hint(names[1:])
    until(lambda: one.read(names[1], 0, 1) and one.stats()["streamed"] < one.stats()["hits"] + one.stats()["misses"])
    assert one.cache.has(names[1])


def test_an_empty_shard(reader, stored):
    stored("e" * 64).write_bytes(b"")
    assert reader().read("e" * 64, 0, 10) == b""


def test_missing(reader, shards, stored):
    stored(next(iter(shards))).unlink()
    with pytest.raises(CorruptionError, match=r"shards/shard-\w+\.tar is missing from the store http"):
        reader().read(next(iter(shards)), 0, 1)


def test_missing_where_there_is_no_room(reader, shards, stored):
    name, one = next(iter(shards)), reader(max_bytes=1)
    one.read(name, 0, 1)
    stored(name).unlink()
    with pytest.raises(CorruptionError, match=r"shards/shard-\w+\.tar is missing from the store http"):
        one.read(name, 0, 1)


@pytest.mark.parametrize("size", [0, 1000, SHARD_BYTES - 1])
def test_truncated_while_it_is_mapped(reader, shards, size):
    name, one = next(iter(shards)), reader()
    one.read(name, 0, 1)
    os.truncate(one.cache.path(name), size)
    assert one.read(name, SHARD_BYTES - 100, 100) == shards[name][-100:]
    assert one.stats()["damaged"] == 1


def test_removed_while_it_is_mapped(reader, shards):
    name, one = next(iter(shards)), reader()
    one.read(name, 0, 1)
    one.cache.path(name).unlink()
    assert one.read(name, 0, SHARD_BYTES) == shards[name]


def test_damaged_between_two_readers(reader, shards):
    name, first = next(iter(shards)), reader()
    first.read(name, 0, 1)
    first.close()
    with first.cache.path(name).open("r+b") as file:
        file.seek(5000)
        file.write(b"\0" * 100)
    second = reader()
    assert second.read(name, 4000, 3000) == shards[name][4000:7000]
    assert second.stats()["damaged"] == 1


def test_damaged_while_it_is_mapped_is_found_when_asked(reader, shards):
    name, one = next(iter(shards)), reader()
    one.read(name, 0, 1)
    one.recheck(name)
    assert one.read(name, 0, 1) == shards[name][:1]
    assert one.cache.damaged == 0
    with one.cache.path(name).open("r+b") as file:
        file.write(b"\0" * 100)
    one.recheck(name)
    assert one.read(name, 0, 100) == shards[name][:100]


def test_what_another_reader_mended_is_read_again(reader, shards):
    name, one, other = next(iter(shards)), reader(), reader()
    for each in (one, other):
        each.read(name, 0, 1)
    with one.cache.path(name).open("r+b") as file:
        file.write(b"\0" * 100)
    other.recheck(name)
    assert other.read(name, 0, 100) == shards[name][:100] != one.read(name, 0, 100)
    one.recheck(name)
    assert one.read(name, 0, 100) == shards[name][:100]


def test_rechecked_where_the_cache_fails(reader, shards, folder, monkeypatch):
    (name, content), one = next(iter(shards.items())), reader()
    one.read(name, 0, 1)
    monkeypatch.setattr(folders, "LOCK_SECONDS", 0.05)
    with (folder / "lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        one.recheck(name)
        assert one.read(name, 0, 100) == content[:100]
    shutil.rmtree(folder)
    one.recheck(name)
    assert one.read(name, 0, 100) == content[:100]
    assert one.stats()["streamed"] == 2


def test_a_folder_that_was_removed(reader, shards, folder):
    one = reader(ahead=2)
    one.hint(shards)
    shutil.rmtree(folder, ignore_errors=True)
    until(lambda: not folder.exists() or shutil.rmtree(folder, ignore_errors=True))
    for name, content in shards.items():
        assert one.read(name, 1000, 100) == content[1000:1100]
    assert one.stats()["streamed"] > 0


def test_closed(reader, shards, threads):
    one = reader()
    one.hint(shards)
    one.read(next(iter(shards)), 0, 1)
    assert threads()
    one.close()
    one.close()
    assert threads() == []
    name = next(iter(shards))
    for call in (lambda: one.read(name, 0, 1), lambda: one.hint(shards), lambda: one.recheck(name)):
        with pytest.raises(SpecError, match=r"the cached reader is closed\. make a new one"):
            call()


def test_no_thread_outlives_it(served, folder, shards, threads):
    one = CachedReader(open_backend(served.url), ShardCache(folder, 1 << 30))
    one.hint(shards)
    one.read(next(iter(shards)), 0, 1)
    assert threads()
    del one
    gc.collect()
    until(lambda: not threads())


def test_collected_in_a_thread_of_its_own(served, folder, shards, threads, monkeypatch):
    """As the garbage collector does, of a reader in a cycle, in whichever thread it happens to run."""
    backend, collected = open_backend(served.url), threading.Event()
    one = CachedReader(backend, ShardCache(folder, 1 << 30))
    real = type(backend).read_into

    def read_into(*of):
        if not collected.is_set():
            one.__del__()  # what the thread is at, another of the reader's waits for
            collected.set()
        return real(*of)

    monkeypatch.setattr(type(backend), "read_into", read_into)  # in the backend itself it would make a cycle of it
    one.hint(shards)
    assert collected.wait(20)
    until(lambda: not threads())
    backend.close()


def test_a_process_starts_once_after_a_fork(reader, shards, monkeypatch):
    """As a child finds it, two of whose threads come at once."""
    (name, content), one, looked, starts, reads = next(iter(shards.items())), reader(), threading.Event(), [], []
    getpid, start = os.getpid, CachedReader._start
    other = threading.Thread(target=lambda: reads.append(one.read(name, 0, 10)))

    def getpid_seen():
        if threading.current_thread() is other:
            looked.set()
        return getpid()

    def start_late(of):
        starts.append(threading.current_thread())
        if len(starts) == 1:
            other.start()
            assert looked.wait(20)
        start(of)

    monkeypatch.setattr(os, "getpid", getpid_seen)
    monkeypatch.setattr(CachedReader, "_start", start_late)
    one._pid = -1
    assert one.read(name, 0, 10) == content[:10]
    other.join()
    assert reads == [content[:10]]
    assert starts == [threading.current_thread()]


def test_a_forked_process_needs_none_of_the_parents_locks(reader, shards):
    (name, content), one = next(iter(shards.items())), reader()
    one.read(name, 0, 1)
    with one._lock:
        child = os.fork()
    if not child:
        code = 1
        signal.alarm(20)  # ends it, if it waits
        one._lock.acquire(blocking=False)  # as a thread of the parent's may have, that is not there in the child
        try:
            one.recheck(name)
            code = one.read(name, 0, 10) != content[:10]
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_a_forked_process_goes_on(reader, shards):
    names, one = list(shards), reader()
    one.read(names[0], 0, 1)
    child = os.fork()
    if not child:
        code = 1
        try:
            one.hint(names)
            code = [one.read(name, 0, SHARD_BYTES) for name in names] != list(shards.values())
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert one.read(names[5], 0, SHARD_BYTES) == shards[names[5]]


def test_four_processes_fetch_each_shard_once(client, shards, served):
    served.latency_seconds, served.bandwidth = 0.01, 20e6
    stats = [ended(process) for process in [client(shards) for _ in range(4)]]
    assert served.sent == 6 * SHARD_BYTES
    assert sum(one["shards_fetched"] for one in stats) == 6


def test_a_killed_fetcher_holds_nobody_up(client, shards, served, folder):
    served.bandwidth = 1e5
    victim = client(shards)
    until(lambda: served.sent > 0)
    assert list(folder.glob("*.part"))
    victim.kill()
    victim.wait()
    served.bandwidth = 0
    ended(client(shards))
    assert list(folder.glob("*.part")) == []
    assert len(list(folder.glob("*.tar"))) == 6


def test_the_bound_holds_under_readers_of_more_than_it(client, shards, folder):
    bound, most, stop = 3 * ROOM, [0], threading.Event()
    cache = ShardCache(folder, bound)

    def look():
        while not stop.is_set():
            most[0] = max(most[0], cache.used())
            time.sleep(0.002)

    looking = threading.Thread(target=look)
    looking.start()
    stats = [ended(process) for process in [client(shards, 10, bound), client(list(shards)[::-1], 10, bound)]]
    stop.set()
    looking.join()
    assert 2 * ROOM < most[0] <= bound
    assert sum(one["evictions"] for one in stats) > 0
