"""Paths, and what every manifest must have."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import ContractError, SpecError
from airflow_mlplat.store import layout

A, B, C = "a" * 64, "b" * 64, "c" * 64
MANIFEST = {"format": 1, "kind": "span", "name": "pets", "files": {}, "parents": []}


def test_paths():
    assert layout.blob_path(A) == f"blobs/{A}"
    assert layout.shard_path(A) == f"shards/shard-{A}.tar"
    assert layout.index_path(A) == f"shards/index-{A}.idx.npy"
    assert layout.keys_path(A) == f"shards/keys-{A}.keys.npy"
    assert layout.manifest_path("span", A) == f"manifests/span/{A}.json"
    assert layout.result_path(A) == f"results/{A}.json"


def test_digests_of_paths():
    paths = [layout.blob_path(A), layout.shard_path(A), layout.index_path(A), layout.keys_path(A)]
    assert {layout.sha256_of(path) for path in [*paths, layout.manifest_path("span", A)]} == {A}
    with pytest.raises(SpecError, match="tmp/x is not a digest"):
        layout.sha256_of("tmp/x")


@pytest.mark.parametrize("path", [layout.blob_path, layout.shard_path, layout.index_path, layout.result_path])
@pytest.mark.parametrize("value", ["../../etc/passwd", "A" * 64, "a" * 63, None, "a" * 64 + "\n"])
def test_nothing_but_a_digest_becomes_a_path(path, value):
    with pytest.raises(SpecError, match=r"is not a digest; expected 64 hex digits; got"):
        path(value)


def test_named_files():
    shard = {"sha256": A, "index_sha256": B, "keys_sha256": C}
    document = {**MANIFEST, "files": {"x": C}, "shards": [shard]}
    assert list(layout.named_files(document)) == [
        layout.blob_path(C),
        layout.shard_path(A),
        layout.index_path(B),
        layout.keys_path(C),
    ]


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"format": 2}, ContractError, "manifest of another format; expected 1; got 2"),
        ({"kind": "photo"}, SpecError, "manifest of unknown kind; expected span | dataset"),
        ({"name": ""}, SpecError, "manifest's 'name' is wrong; expected str; got ''"),
        ({"files": None}, SpecError, "manifest's 'files' is wrong; expected dict; got None"),
        ({"files": {"a": "b"}}, SpecError, "a blob is not a digest"),
        ({"parents": {}}, SpecError, "manifest's 'parents' is wrong; expected list"),
        ({"parents": [{"kind": "span"}]}, SpecError, "not a reference"),
        (
            {"parents": [{"kind": "span", "name": "x", "digest": "z" * 64}]},
            SpecError,
            "reference to span 'x' has no digest",
        ),
        ({"shards": [{"sha256": A}]}, SpecError, "manifest's 'shards' are wrong; expected sha256, index_sha256"),
    ],
)
def test_not_a_manifest(change, error, message):
    layout.check_manifest(MANIFEST)
    with pytest.raises(error, match=message):
        layout.check_manifest({**MANIFEST, **change})
    with pytest.raises(SpecError, match="not a manifest; expected a JSON object; got list"):
        layout.check_manifest([])
