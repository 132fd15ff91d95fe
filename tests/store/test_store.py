"""Blobs, manifests, results: verified reads, first writer wins, a manifest names only what is there."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_mlplat.contract import JobError, JobResult, Ref, canonical_json, digest
from airflow_mlplat.errors import ContractError, CorruptionError, NotFoundError, SpecError, StoreError
from airflow_mlplat.store import Store, layout, open_store

KEY = "1" * 64
RACER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from airflow_mlplat.contract import JobResult
from airflow_mlplat.store import open_store
store = open_store(sys.argv[1])
document = {"format": 1, "kind": "model", "name": "m", "files": {}, "parents": []}
print("ready", flush=True)
sys.stdin.readline()
def race(i):
    ref = store.put_manifest(document)
    result = store.put_result(JobResult("1" * 64, "train", {"model": ref}, {}, {"racer": f"{sys.argv[2]}-{i}"}))
    return ref.digest, result.stats["racer"]
with ThreadPoolExecutor(4) as pool:
    for ref, racer in pool.map(race, range(4)):
        print(ref, racer)
"""


@pytest.fixture
def model(store):
    """A committed model with one file."""
    files = {"weights.npz": store.put_blob(b"weights")}
    return store.put_manifest({"format": 1, "kind": "model", "name": "m", "files": files, "parents": []})


def test_blob(store, tmp_path):
    sha256 = store.put_blob(b"content")
    assert sha256 == digest(b"content") == store.put_blob(b"content")
    assert store.blob(sha256) == b"content"
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert store.put_blob(file) == store.put_blob(file) == digest(file.read_bytes())
    assert file.exists()
    assert store.blob(store.put_blob(b"")) == b""
    assert list((store.backend.root / "tmp").iterdir()) == []


def test_fetch_blob(store, tmp_path):
    for content in (b"", b"x" * 3_000_000):
        target = tmp_path / "new" / "folder" / "file"
        store.fetch_blob(store.put_blob(content), target)
        assert target.read_bytes() == content
        assert list(target.parent.iterdir()) == [target]


def test_absent_blob(store, tmp_path):
    for call in (store.blob, lambda sha256: store.fetch_blob(sha256, tmp_path / "file")):
        with pytest.raises(NotFoundError, match=r"blobs/0{64} is not in the store file:///"):
            call("0" * 64)
    with pytest.raises(SpecError, match=r"a blob is not a digest; expected 64 hex digits; got '../x'"):
        store.blob("../x")
    assert not (tmp_path / "file").exists()


def test_damaged_blob(store, tmp_path, flip):
    sha256 = store.put_blob(b"content")
    flip("blobs/*")
    (tmp_path / "file").write_bytes(b"before")
    for call in (store.blob, lambda sha256: store.fetch_blob(sha256, tmp_path / "file")):
        with pytest.raises(CorruptionError, match=r"blobs/.* is damaged; expected SHA-256 ed7002b439e9….*restore it"):
            call(sha256)
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


def test_files_that_cannot_be_read_or_written(store, tmp_path):
    with pytest.raises(StoreError, match="nowhere cannot be copied into the store; got No such file or directory"):
        store.put_blob(tmp_path / "nowhere")
    sha256 = store.put_blob(b"content")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        StoreError, match=r"blob ed7002b439e9 cannot be written to .*; got (Not a directory|File exists)"
    ):
        store.fetch_blob(sha256, tmp_path / "file" / "below")


def test_manifest(store, model):
    manifest = store.manifest(model)
    assert store.put_manifest(manifest) == model
    assert digest(manifest) == model.digest
    path = store.backend.root / f"manifests/model/{model.digest}.json"
    assert path.read_bytes() == canonical_json(manifest)
    assert list(store.manifests("model")) == [(model.digest, manifest)]
    assert list(store.manifests("span")) == []
    assert store.exists(model)


def test_manifest_names_what_is_not_there(store, model):
    document = {"format": 1, "kind": "model", "name": "m", "files": {"weights.npz": "0" * 64}, "parents": []}
    message = r"manifest of model 'm' names what is not in the store .*; got blobs/0{64}. put the files and the parents"
    with pytest.raises(NotFoundError, match=message):
        store.put_manifest(document)
    orphan = {**document, "files": {}, "parents": [{"kind": "dataset", "name": "d", "digest": "0" * 64}]}
    with pytest.raises(NotFoundError, match=r"got manifests/dataset/0{64}.json"):
        store.put_manifest(orphan)
    assert len(list(store.manifests("model"))) == 1


def test_reference_to_nothing(store, model):
    with pytest.raises(NotFoundError, match=r"model:m@000000000000 is not in the store .* check the reference"):
        store.manifest(Ref("model", "m", "0" * 64))
    with pytest.raises(NotFoundError, match=r"model:other@.* is called otherwise; expected 'other'; got 'm'"):
        store.manifest(Ref("model", "other", model.digest))
    with pytest.raises(NotFoundError):
        store.manifest(Ref("span", "m", model.digest))
    with pytest.raises(SpecError, match=r"no such kind of manifest; .* got 'photo'"):
        list(store.manifests("photo"))


def test_damaged_manifest(store, model, flip):
    flip("manifests/model/*")
    with pytest.raises(CorruptionError, match=r"manifests/model/.*\.json of the store .* is damaged"):
        store.manifest(model)
    with pytest.raises(CorruptionError):
        list(store.manifests("model"))


def test_result(store, model):
    assert store.result(KEY) is None
    first = JobResult(KEY, "train", {"model": model}, {"accuracy": 0.5}, {"seconds": 1.0})
    assert store.put_result(first) == first
    assert store.put_result(JobResult(KEY, "train", {"model": model}, {}, {"seconds": 2.0})) == first
    assert open_store(store.url).result(KEY) == first


def test_a_result_whose_files_are_gone_is_not_reused(store, model):
    store.put_result(JobResult(KEY, "train", {"model": model}))
    assert store.reusable_result(KEY) == store.result(KEY) and store.reusable_result("b" * 64) is None
    (weights,) = layout.named_files(store.manifest(model))
    store.backend.local_path(weights).unlink()
    assert store.reusable_result(KEY) is None and store.result(KEY) is not None
    store.put_blob(b"weights")  # run again
    assert store.reusable_result(KEY) == store.result(KEY)


def test_results_that_are_not_committed(store, model):
    failed = JobResult(KEY, "train", error=JobError("user", "DataError", "too dark"))
    with pytest.raises(SpecError, match=r"a failed job's result is not committed; .* got too dark"):
        store.put_result(failed)
    gone = JobResult(KEY, "train", {"model": Ref("model", "m", "0" * 64)})
    with pytest.raises(NotFoundError, match="output 'model' of a result, model:m@000000000000, is not in the store"):
        store.put_result(gone)
    with pytest.raises(SpecError, match="a job key is not a digest"):
        store.put_result(JobResult("../x", "train"))
    assert store.result(KEY) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"contract_version": 1, "job_key": 1}', b"\xff"])
def test_damaged_result(store, content):
    store.backend.put_if_absent(f"results/{KEY}.json", content)
    with pytest.raises(CorruptionError, match=r"results/1{64}\.json of the store .* is damaged"):
        store.result(KEY)


def test_result_of_another_contract(store):
    store.backend.put_if_absent(f"results/{KEY}.json", b'{"contract_version": 2}')
    with pytest.raises(ContractError, match="JobResult of another contract version; expected 1; got 2"):
        store.result(KEY)


def test_result_of_another_job(store):
    content = canonical_json(JobResult("2" * 64, "train").to_json())
    store.backend.put_if_absent(f"results/{KEY}.json", content)
    with pytest.raises(CorruptionError, match=r"is another job's result; got 2{64}"):
        store.result(KEY)


def test_threads_and_processes_put_the_same(store):
    command = [sys.executable, "-c", RACER, store.url]
    racers = [
        subprocess.Popen([*command, str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for i in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    lines = [line for racer in racers for line in racer.communicate()[0].splitlines()]
    assert len(lines) == 16
    assert len(set(lines)) == 1  # one digest, one winner
    assert store.result(KEY).stats == {"racer": lines[0].split()[1]}


def test_threads_put_the_same_blob(store):
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(store.put_blob, [b"x" * 100_000] * 16))) == 1
    assert len(list(store.backend.list(""))) == 1


def test_store_is_a_folder_that_can_be_moved(store, span, tmp_path):
    store.backend.root.rename(tmp_path / "moved")
    assert Store(open_store(tmp_path / "moved").backend).manifest(span)["samples"] == 20
    assert json.dumps(span.to_json())
