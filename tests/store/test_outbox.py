"""A store that is only read, with an outbox beside it."""

from __future__ import annotations

import pytest

from airflow_mlplat.contract import JobResult
from airflow_mlplat.store import open_store


def manifest(name: str, files: dict[str, str]) -> dict:
    return {"format": 1, "kind": "model", "name": name, "files": files, "parents": []}


@pytest.fixture
def store(tmp_path):
    """The store, with one blob in it."""
    made = open_store(tmp_path / "store")
    made.put_blob(b"old")
    return made


@pytest.fixture
def job(store, tmp_path):
    """What a job has."""
    return open_store(store.url, tmp_path / "outbox")


def files(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_put_goes_into_the_outbox_alone(store, job, tmp_path):
    before = files(tmp_path / "store")
    new = job.put_blob(b"new")
    ref = job.put_manifest(manifest("m", {"a": new, "b": job.put_blob(b"old")}))
    job.put_result(JobResult("0" * 64, "train", {"model": ref}))
    assert files(tmp_path / "store") == before
    assert files(tmp_path / "outbox") == {
        f"blobs/{new}", f"manifests/model/{ref.digest}.json", f"results/{'0' * 64}.json"
    }  # fmt: skip


def test_both_are_read_as_one(store, job):
    old, new = store.put_blob(b"old"), job.put_blob(b"new")
    assert (job.url, job.blob(old), job.blob(new)) == (store.url, b"old", b"new")
    assert (job.backend.size(f"blobs/{new}"), job.backend.read_range(f"blobs/{old}", 1, 1)) == (3, b"l")
    assert [entry.path for entry in job.backend.list("blobs")] == sorted([f"blobs/{old}", f"blobs/{new}"])
    assert job.backend.local_path(f"blobs/{old}").read_bytes() == b"old"
    assert job.backend.local_path(f"blobs/{new}").read_bytes() == b"new"
    assert job.backend.local_path("shards") == store.backend.local_path("shards")
    assert [job.backend.touch(f"blobs/{x}") for x in (old, new, "0" * 64)] == [True, True, False]


def test_a_file_that_the_store_has_is_not_put_again(job, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    job.put_blob(path)
    assert files(tmp_path / "outbox") == set()


def test_only_the_outbox_is_deleted_from(store, job):
    old, new = store.put_blob(b"old"), job.put_blob(b"new")
    assert job.backend.delete(f"blobs/{new}", 1e12)
    assert not job.backend.delete(f"blobs/{old}", 1e12)
    assert store.blob(old) == b"old"
