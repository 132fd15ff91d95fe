"""Checking a store finds every kind of damage, and nothing in a sound one."""

from __future__ import annotations

import pytest

from airflow_mlplat.contract import JobResult, canonical_json
from airflow_mlplat.store import SpanWriter, check_store


@pytest.fixture
def whole(store, write, samples):
    """A store with a span of one shard, one with a quarantine, a model of the first, and a result."""
    span = write(rows=samples[:4])
    with SpanWriter(store, "pets", "2026-01-02", ["cat"]) as writer:
        writer.quarantine("a", "unreadable")
        writer.commit()
    model = store.put_manifest({"format": 1, "kind": "model", "name": "m", "files": {}, "parents": [span.to_json()]})
    store.put_result(JobResult("1" * 64, "train", {"model": model}))
    store.put_blob(b"garbage is no problem")
    return store


def found(store):
    return [(problem.path, problem.what) for problem in check_store(store).problems]


def first(store, pattern):
    return sorted(store.backend.root.glob(pattern))[0]


def test_sound(whole):
    report = check_store(whole)
    assert report.problems == []
    assert report.checked == {"manifests": 3, "blobs": 1, "shards": 1, "samples": 4, "results": 1}


def test_empty(store):
    assert check_store(store).problems == []


def test_flipped_byte_of_a_sample(whole, flip):
    path = flip("shards/*.tar", 512)
    problems = found(whole)
    assert [where for where, _ in problems] == [path, path]
    assert "damaged: its SHA-256 is" in problems[0][1]
    assert "named by manifests/span/" in problems[0][1]
    assert problems[1][1] == "sample 'k/000.x' is damaged: wrong CRC-32C"


def test_flipped_byte_between_samples(whole, flip):
    path = flip("shards/*.tar", 0)
    ((where, what),) = found(whole)
    assert where == path
    assert "damaged: its SHA-256 is" in what


@pytest.mark.parametrize("pattern", ["shards/*.idx.npy", "shards/*.keys.npy"])
def test_damaged_or_missing_sidecar(whole, flip, pattern):
    path = flip(pattern)
    assert [(where, what[:7]) for where, what in found(whole)] == [(path, "damaged")]
    first(whole, pattern).unlink()
    assert [(where, what[:7]) for where, what in found(whole)] == [(path, "missing")]


@pytest.mark.parametrize("pattern", ["shards/*.tar"])
def test_missing_shard(whole, pattern):
    first(whole, pattern).unlink()
    ((where, what),) = found(whole)
    assert where.endswith(".tar")
    assert what.startswith("missing, named by manifests/span/")


def test_missing_blob(whole):
    sha256 = next(m["files"]["quarantine.jsonl"] for _, m in whole.manifests("span") if m["files"])
    (whole.backend.root / "blobs" / sha256).unlink()
    ((where, what),) = found(whole)
    assert where == f"blobs/{sha256}"
    assert what.startswith("missing, named by manifests/span/")


def test_missing_parent(whole):
    model = whole.result("1" * 64).outputs["model"]
    parent = whole.manifest(model)["parents"][0]["digest"]
    (whole.backend.root / f"manifests/span/{parent}.json").unlink()
    assert found(whole) == [
        (f"manifests/model/{model.digest}.json", f"parent manifests/span/{parent}.json is missing"),
    ]


def test_renamed_manifest(whole):
    path = first(whole, "manifests/span/*")
    path.rename(path.with_name("0" * 64 + ".json"))
    problems = dict(found(whole))
    assert problems[f"manifests/span/{'0' * 64}.json"] == f"its content belongs at manifests/span/{path.name}"


def test_damaged_manifest(whole, flip):
    path = flip("manifests/model/*", 0)
    assert dict(found(whole))[path].startswith("not a manifest")


def test_result_whose_output_is_missing(whole):
    model = whole.result("1" * 64).outputs["model"]
    (whole.backend.root / f"manifests/model/{model.digest}.json").unlink()
    missing = f"output 'model' manifests/model/{model.digest}.json is missing"
    assert found(whole) == [(f"results/{'1' * 64}.json", missing)]


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("2" * 64, b"{", "is damaged"),
        ("2" * 64, canonical_json(JobResult("3" * 64, "train").to_json()), "is another job's result"),
        ("notes", b"", "a job key is not a digest"),
    ],
)
def test_damaged_result(whole, name, content, message):
    whole.backend.put_if_absent(f"results/{name}.json", content)
    ((where, what),) = found(whole)
    assert where == f"results/{name}.json"
    assert message in what


def test_counts_that_do_not_add_up(whole):
    digest, manifest = next((d, m) for d, m in whole.manifests("span") if m["shards"])
    ref = whole.put_manifest({**manifest, "samples": 99})
    assert digest != ref.digest
    ((where, what),) = found(whole)
    assert where == f"manifests/span/{ref.digest}.json"
    assert "has another number of samples; expected 99; got 4" in what


def test_a_shard_of_other_samples(whole):
    """Files that are each sound, put together wrongly."""
    _, manifest = next((d, m) for d, m in whole.manifests("span") if m["shards"])
    for change, message in [({"samples": 5}, "has 4 rows for 4 keys"), ({"index_sha256": None}, "cannot be read")]:
        shard = {**manifest["shards"][0], **change}
        if shard["index_sha256"] is None:
            shard["index_sha256"] = whole.put_blob(b"no array")
            whole.backend.put_if_absent(f"shards/index-{shard['index_sha256']}.idx.npy", b"no array")
        ref = whole.put_manifest({**manifest, "shards": [shard]})
        assert any(message in what for _, what in found(whole))
        (whole.backend.root / f"manifests/span/{ref.digest}.json").unlink()
