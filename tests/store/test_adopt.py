"""What a job left in its outbox comes into the store, if it is what it says."""

from __future__ import annotations

import pytest

from airflow_mlplat.contract import JobResult, Ref, canonical_json, digest
from airflow_mlplat.errors import CorruptionError, NotFoundError
from airflow_mlplat.store import adopt, open_store

KEY, OTHER = "1" * 64, "2" * 64


def manifest(name: str, files: dict[str, str], parents: tuple[Ref, ...] = ()) -> dict:
    return {"format": 1, "kind": "model", "name": name, "files": files, "parents": [ref.to_json() for ref in parents]}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def job(store, tmp_path):
    """The store as a job has it."""
    return open_store(store.url, tmp_path / "outbox")


@pytest.fixture
def result(job):
    """Of a job that made a model upon another one."""
    first = job.put_manifest(manifest("first", {"w": job.put_blob(b"1")}))
    second = job.put_manifest(manifest("second", {"w": job.put_blob(b"2")}, (first,)))
    return job.put_result(JobResult(KEY, "train", {"model": second}, {"accuracy": 1}))


def test_a_result_with_all_it_needs(store, result, tmp_path):
    assert adopt(store, tmp_path / "outbox", result) == result
    assert store.reusable_result(KEY) == result
    (parent,) = store.manifest(result.outputs["model"])["parents"]
    assert store.blob(store.manifest(Ref.from_json(parent))["files"]["w"]) == b"1"
    assert adopt(store, tmp_path / "outbox", result) == result


def test_nothing_else_is_taken(store, job, result, tmp_path):
    stray = job.put_blob(b"stray")
    job.put_result(JobResult(OTHER, "dataset/unlisted", metrics={"drops": []}))
    adopt(store, tmp_path / "outbox", result)
    assert not store.backend.exists(f"blobs/{stray}")
    assert store.result(OTHER) is None


def test_findings_of_stages(store, job, result, tmp_path):
    job.put_result(JobResult(OTHER, "dataset/unlisted", metrics={"drops": []}))
    adopt(store, tmp_path / "outbox", result, findings=True)
    assert store.result(OTHER).metrics == {"drops": []}


def test_the_first_result_of_a_job_stays(store, job, result, tmp_path):
    adopt(store, tmp_path / "outbox", result)
    again = JobResult(KEY, "train", result.outputs, {"accuracy": 0.5})
    assert adopt(store, tmp_path / "outbox", again) == result


def test_a_file_that_is_not_what_its_name_says(store, job, result, tmp_path):
    (tmp_path / "outbox/blobs" / digest(b"2")).write_bytes(b"forged")
    with pytest.raises(CorruptionError, match="not what its name says"):
        adopt(store, tmp_path / "outbox", result)
    assert store.result(KEY) is None


def test_a_link_that_leads_out(store, result, tmp_path):
    secret, blob = tmp_path / "secret", tmp_path / "outbox/blobs" / digest(b"2")
    secret.write_bytes(b"2")
    blob.unlink()
    blob.symlink_to(secret)
    with pytest.raises(CorruptionError, match="no plain file"):
        adopt(store, tmp_path / "outbox", result)


def test_a_manifest_that_is_not_what_its_name_says(store, job, result, tmp_path):
    path = tmp_path / f"outbox/manifests/model/{result.outputs['model'].digest}.json"
    path.write_bytes(canonical_json(manifest("second", {})))
    with pytest.raises(CorruptionError):
        adopt(store, tmp_path / "outbox", result)


def test_an_output_that_is_nowhere(store, tmp_path):
    result = JobResult(KEY, "train", {"model": Ref("model", "m", "3" * 64)})
    with pytest.raises(NotFoundError, match="output 'model' of a result"):
        adopt(store, tmp_path / "outbox", result)
