"""A folder that is a store of some things only."""

from __future__ import annotations

import os

import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import NotFoundError
from airflow_mlplat.store import Samples, grant, open_store


@pytest.fixture
def model(store):
    """A function that makes a model of a name."""

    def put(name: str, *parents: Ref) -> Ref:
        files, above = {"w": store.put_blob(name.encode())}, [ref.to_json() for ref in parents]
        return store.put_manifest({"format": 1, "kind": "model", "name": name, "files": files, "parents": above})

    return put


@pytest.fixture
def dataset(store, span):
    """A dataset version of one span."""
    document = {
        "format": 1, "kind": "dataset", "name": "pets", "classes": ["cat", "dog"], "samples": 20,
        "label_counts": [7, 7], "dropped": {}, "files": {}, "parents": [span.to_json()],
        "spans": [{"partition": "2026-01-01", "digest": span.digest, "samples": 20, "dropped": 0, "drops": None}],
    }  # fmt: skip
    return store.put_manifest(document)


def files(folder) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_dataset_is_read_whole(store, dataset, tmp_path):
    grant(store, tmp_path / "granted", [dataset])
    samples = Samples(open_store(tmp_path / "granted"), dataset)
    assert [samples.media(row) for row in range(20)] == [Samples(store, dataset).media(row) for row in range(20)]


def test_nothing_else_is_there(store, dataset, model, write, tmp_path):
    write("2026-01-02")
    mine, extra = model("mine", model("its parent")), store.put_blob(b"build file")
    store.put_blob(b"another")
    grant(store, tmp_path / "granted", [mine], [extra])
    assert files(tmp_path / "granted") == {
        f"manifests/model/{mine.digest}.json", f"blobs/{store.manifest(mine)['files']['w']}", f"blobs/{extra}"
    }  # fmt: skip


def test_files_are_linked(store, dataset, tmp_path):
    grant(store, tmp_path / "granted", [dataset])
    assert all((tmp_path / "granted" / path).stat().st_nlink > 1 for path in files(tmp_path / "granted"))


def test_files_are_copied_to_another_file_system(store, model, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    ref = model("m")
    monkeypatch.setattr(os, "link", refuse)
    grant(store, tmp_path / "granted", [ref, ref])
    assert open_store(tmp_path / "granted").manifest(ref) == store.manifest(ref)


def test_what_is_not_there(store, tmp_path):
    with pytest.raises(NotFoundError):
        grant(store, tmp_path / "granted", [Ref("model", "m", "0" * 64)])
    with pytest.raises(NotFoundError, match="is not in the store"):
        grant(store, tmp_path / "granted", [], ["0" * 64])
