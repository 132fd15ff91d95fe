"""What a job left in its outbox comes into the store, if it is what it says."""

from __future__ import annotations

import dataclasses
import os

import pytest

from airflow_mlplat.contract import JobResult, JobSpec, Ref, canonical_json, digest
from airflow_mlplat.errors import CorruptionError, NotFoundError
from airflow_mlplat.store import adopt, open_store

SPEC = JobSpec("train", "second", "/store", "c", "i", framework="mxnet")
OTHER = "2" * 64


def manifest(name: str, files: dict[str, str], parents: tuple[Ref, ...] = (), kind: str = "model", **facts) -> dict:
    parent = [ref.to_json() for ref in parents]
    return {"format": 1, "kind": kind, "name": name, "framework": "mxnet", "files": files, "parents": parent, **facts}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store")


@pytest.fixture
def input_ref(store):
    """Something that the job was given."""
    return store.put_manifest(manifest("input", {}, kind="dataset"))


@pytest.fixture
def spec(input_ref):
    return dataclasses.replace(SPEC, inputs={"dataset": [input_ref]})


@pytest.fixture
def job(store, tmp_path):
    """The store as a job has it."""
    return open_store(store.url, tmp_path / "outbox")


@pytest.fixture
def outbox(tmp_path):
    return tmp_path / "outbox"


@pytest.fixture
def result(job, spec, input_ref):
    """Of a job that made a model."""
    model = job.put_manifest(manifest("second", {"w": job.put_blob(b"2")}, (input_ref,)))
    return job.put_result(JobResult(spec.key, "train", {"model": model}, {"accuracy": 1}))


def test_a_result_with_all_it_needs(store, spec, result, outbox):
    assert adopt(store, outbox, spec, result) == result
    assert store.reusable_result(spec.key) == result
    assert store.blob(store.manifest(result.outputs["model"])["files"]["w"]) == b"2"
    assert adopt(store, outbox, spec, result) == result


def test_nothing_else_is_taken(store, job, spec, result, outbox):
    stray = job.put_blob(b"stray")
    job.put_result(JobResult(OTHER, "dataset/unlisted", metrics={"drops": []}))
    adopt(store, outbox, spec, result)
    assert not store.backend.exists(f"blobs/{stray}")
    assert store.result(OTHER) is None


def test_findings_of_stages_without_user_code(store, job, outbox):
    spec = dataclasses.replace(SPEC, stage="dataset", framework=None)
    parent = job.put_manifest(manifest("parent", {"w": job.put_blob(b"1")}))
    made = job.put_manifest(manifest("d", {}, (parent,), "dataset"))
    job.put_result(JobResult(OTHER, "dataset/unlisted", metrics={"drops": []}))
    result = job.put_result(JobResult(spec.key, "dataset", {"dataset": made}))
    adopt(store, outbox, spec, result)
    assert store.result(OTHER).metrics == {"drops": []}
    assert store.manifest(parent)["name"] == "parent"


def test_the_first_result_of_a_job_stays(store, spec, result, outbox):
    adopt(store, outbox, spec, result)
    again = JobResult(spec.key, "train", result.outputs, {"accuracy": 0.5})
    assert adopt(store, outbox, spec, again) == result


def forged(job, spec, *, kind="model", name="second", stage="train", key=None, parents=(), roles=("model",)):
    """A result as user code may write it."""
    ref = job.put_manifest(manifest(name, {}, parents, kind))
    return JobResult(key or spec.key, stage, dict.fromkeys(roles, ref))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "dataset"},
        {"name": "champion"},
        {"stage": "dataset"},
        {"key": OTHER},
        {"roles": ()},
        {"roles": ("a", "b")},
    ],
    ids=str,
)
def test_a_result_that_is_not_one_of_the_spec(store, job, spec, outbox, changes):
    with pytest.raises(CorruptionError):
        adopt(store, outbox, spec, forged(job, spec, **changes))
    assert list(store.backend.list("results")) == []


def test_parents_that_were_no_inputs(store, job, spec, outbox):
    mine = job.put_manifest(manifest("mine", {}))
    for parents in ((mine,), (mine, *spec.inputs["dataset"])):
        with pytest.raises(CorruptionError, match="parents that are not the inputs"):
            adopt(store, outbox, spec, forged(job, spec, parents=parents))


@pytest.mark.parametrize("where", ["outbox", "store"])
def test_inputs_that_are_concealed(store, job, spec, outbox, where):
    """A model of no dataset has seen no test set."""
    made = forged({"outbox": job, "store": store}[where], spec)
    with pytest.raises(CorruptionError, match="parents that are not the inputs"):
        adopt(store, outbox, spec, made)
    assert list(store.backend.list("results")) == []


def test_a_model_of_another_framework(store, job, spec, input_ref, outbox):
    ref = job.put_manifest(manifest("second", {}, (input_ref,), framework="caffe"))
    with pytest.raises(CorruptionError, match=r"says to be another job's; expected .*mxnet.* got .*caffe"):
        adopt(store, outbox, spec, JobResult(spec.key, "train", {"model": ref}))


@pytest.mark.parametrize("lie", ["nothing", "model", "dataset"])
def test_predictions_are_those_of_the_model_that_was_asked(store, job, spec, outbox, lie):
    """They are found by what they say of themselves: another model's would be judged by them."""
    (dataset,) = spec.inputs["dataset"]
    model = store.put_manifest(manifest("second", {}, (dataset,)))
    spec = dataclasses.replace(spec, stage="predict", inputs={"model": [model], "dataset": [dataset]})
    facts = {"model": model.digest, "dataset": dataset.digest, lie: OTHER}
    ref = job.put_manifest(manifest("second", {}, (model, dataset), "predictions", **facts))
    result = JobResult(spec.key, "predict", {"predictions": ref})
    if lie == "nothing":
        assert adopt(store, outbox, spec, result) == result
    else:
        with pytest.raises(CorruptionError, match="says to be another job's"):
            adopt(store, outbox, spec, result)
        assert not store.exists(ref)


def test_a_file_that_is_not_what_its_name_says(store, spec, result, outbox):
    (outbox / "blobs" / digest(b"2")).write_bytes(b"forged")
    with pytest.raises(CorruptionError, match="not what its name says"):
        adopt(store, outbox, spec, result)
    assert store.result(spec.key) is None


@pytest.mark.parametrize("what", ["blob", "blobs", "outbox", "pipe"])
def test_only_plain_files_are_read(store, spec, result, outbox, what):
    blob = outbox / "blobs" / digest(b"2")
    secret = outbox.parent / "elsewhere"
    target = {"blob": blob, "blobs": blob.parent, "outbox": outbox, "pipe": blob}[what]
    target.rename(secret)
    if what == "pipe":
        os.mkfifo(target)
    else:
        target.symlink_to(secret)
    with pytest.raises(CorruptionError, match="no plain file"):
        adopt(store, outbox, spec, result)


def test_a_manifest_that_is_not_what_its_name_says(store, spec, result, outbox):
    path = outbox / f"manifests/model/{result.outputs['model'].digest}.json"
    path.write_bytes(canonical_json(manifest("second", {})))
    with pytest.raises(CorruptionError):
        adopt(store, outbox, spec, result)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{}", b"not JSON"])
def test_what_is_no_manifest(store, spec, outbox, content):
    ref = Ref("model", "second", digest(content))
    path = outbox / f"manifests/model/{ref.digest}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(CorruptionError, match="no manifest of"):
        adopt(store, outbox, spec, JobResult(spec.key, "train", {"model": ref}))


def test_a_manifest_that_is_too_long(store, spec, result, outbox, monkeypatch):
    monkeypatch.setattr("airflow_mlplat.store.adoption.DOCUMENT_BYTES", 10)
    with pytest.raises(CorruptionError, match="too long"):
        adopt(store, outbox, spec, result)


def test_an_output_that_is_nowhere(store, spec, outbox):
    result = JobResult(spec.key, "train", {"model": Ref("model", "second", "3" * 64)})
    with pytest.raises(NotFoundError, match="output 'model' of a result"):
        adopt(store, outbox, spec, result)
