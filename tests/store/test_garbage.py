"""Garbage: what no manifest names and is old enough; nothing else, ever."""

from __future__ import annotations

import os
import time

import pytest

from airflow_mlplat.contract import JobResult
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import GarbageReport, SpanWriter, check_store, collect_garbage

DAY = 86400


@pytest.fixture
def age(store):
    """A function that makes every file of the store two days old."""

    def change():
        for entry in store.backend.list(""):
            then = time.time() - 2 * DAY
            os.utime(store.backend.root / entry.path, (then, then))

    return change


@pytest.fixture
def full(store, span, samples):
    """A store with every kind of file, quarantine and result too."""
    with SpanWriter(store, "pets", "2026-01-02", ["cat", "dog"]) as writer:
        writer.add(samples[3])
        writer.quarantine("a", "unreadable")
        writer.commit()
    store.put_result(JobResult("1" * 64, "dataset", {"span": span}))
    return store


def paths(store):
    return [entry.path for entry in store.backend.list("")]


def test_what_a_manifest_names_stays(full, age):
    before = paths(full)
    age()
    assert collect_garbage(full) == GarbageReport(0, 0)
    assert paths(full) == before
    assert check_store(full).problems == []


def test_garbage_goes(full, age):
    before = paths(full)
    full.put_blob(b"12345")
    full.backend.put_if_absent("shards/shard-" + "0" * 64 + ".tar", b"123")
    full.backend.scratch().write_bytes(b"1")
    assert collect_garbage(full, dry_run=True) == GarbageReport(0, 0)  # too young
    age()
    assert collect_garbage(full, dry_run=True) == GarbageReport(3, 9)
    assert collect_garbage(full, grace_seconds=3 * DAY) == GarbageReport(0, 0)
    assert len(paths(full)) == len(before) + 3
    assert collect_garbage(full) == GarbageReport(3, 9)
    assert paths(full) == before


def test_other_files_are_not_ours(full, age):
    full.backend.put_if_absent("README", b"about this store")
    age()
    assert collect_garbage(full).files == 0


def test_garbage_put_again_is_young_again(store, age):
    sha256 = store.put_blob(b"12345")
    age()
    store.put_blob(b"12345")
    assert collect_garbage(store).files == 0
    assert store.blob(sha256) == b"12345"


def test_a_manifest_renews_what_it_names(store, age):
    """Else a collection that read the manifests a moment before would remove the files of a job of two days."""
    sha256 = store.put_blob(b"12345")
    age()
    store.put_manifest({"format": 1, "kind": "model", "name": "m", "files": {"w": sha256}, "parents": []})
    assert not store.backend.delete(f"blobs/{sha256}", time.time() - DAY)


def test_damaged_manifest_stops_it(full, age, flip):
    full.put_blob(b"12345")
    flip("manifests/span/*")
    age()
    before = paths(full)
    with pytest.raises(CorruptionError, match=r"manifests/span/.* is damaged"):
        collect_garbage(full)
    assert paths(full) == before


def test_empty_store(store):
    assert collect_garbage(store) == GarbageReport(0, 0)


def test_what_jobs_want_stays(full, age):
    wanted, other = full.put_blob(b"12345"), full.put_blob(b"1")
    age()
    assert collect_garbage(full, wanted={wanted}) == GarbageReport(1, 1)
    assert full.blob(wanted) == b"12345" and not full.backend.exists(f"blobs/{other}")
