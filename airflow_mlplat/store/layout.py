"""Which file of the store holds what, and what every manifest has, whatever its kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import KINDS, Ref
from airflow_mlplat.errors import ContractError, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
"""Raised by one when a reader of the old format would misread the new one."""

SHARDS, BLOBS, MANIFESTS, RESULTS = "shards", "blobs", "manifests", "results"


def checked_digest(value: Any, what: str) -> str:
    """The value, if it is a SHA-256 in hex: what becomes part of a path must be nothing else.

    Raises:
        SpecError: It is not.
    """
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise SpecError(f"{what} is not a digest", expected="64 hex digits", got=repr(value))
    return value


def blob_path(sha256: str) -> str:
    """Any file, by its SHA-256."""
    return f"{BLOBS}/{checked_digest(sha256, 'a blob')}"


def shard_path(sha256: str) -> str:
    """A shard, by its SHA-256."""
    return f"{SHARDS}/shard-{checked_digest(sha256, 'a shard')}.tar"


def index_path(sha256: str) -> str:
    """A shard's index, by the index's own SHA-256: relabeled samples share a shard and differ in the index."""
    return f"{SHARDS}/index-{checked_digest(sha256, 'an index')}.idx.npy"


def keys_path(sha256: str) -> str:
    """A shard's keys, by the keys file's own SHA-256."""
    return f"{SHARDS}/keys-{checked_digest(sha256, 'a keys file')}.keys.npy"


def manifest_path(kind: str, sha256: str) -> str:
    """A manifest, by the SHA-256 of its canonical JSON."""
    return f"{MANIFESTS}/{kind}/{checked_digest(sha256, 'a manifest')}.json"


def result_path(job_key: str) -> str:
    """The committed result of a job."""
    return f"{RESULTS}/{checked_digest(job_key, 'a job key')}.json"


def sha256_of(path: str) -> str:
    """The SHA-256 that a blob, shard, index, keys file or manifest has by its path."""
    name = path.rsplit("/", 1)[-1].split(".", 1)[0].rsplit("-", 1)[-1]
    return checked_digest(name, path)


def named_files(document: dict[str, Any]) -> Iterator[str]:
    """The paths of all files that a manifest keeps alive; its parents keep their own."""
    for sha256 in document["files"].values():
        yield blob_path(sha256)
    for shard in document.get("shards", ()):
        yield shard_path(shard["sha256"])
        yield index_path(shard["index_sha256"])
        yield keys_path(shard["keys_sha256"])


def check_manifest(document: Any) -> None:
    """Whether it has what every manifest has.

    Raises:
        SpecError: It has not.
        ContractError: It is of another format.
    """
    if not isinstance(document, dict):
        raise SpecError("not a manifest", expected="a JSON object", got=type(document).__name__)
    if document.get("format") != FORMAT:
        raise ContractError("manifest of another format", expected=FORMAT, got=repr(document.get("format")))
    if document.get("kind") not in KINDS:
        raise SpecError("manifest of unknown kind", expected=" | ".join(KINDS), got=repr(document.get("kind")))
    for field, kind in (("name", str), ("files", dict), ("parents", list)):
        if not isinstance(document.get(field), kind) or document[field] == "":
            raise SpecError(f"manifest's {field!r} is wrong", expected=kind.__name__, got=repr(document.get(field)))
    for parent in document["parents"]:
        Ref.from_json(parent)
    try:
        list(named_files(document))
    except (KeyError, TypeError) as error:
        raise SpecError(
            "manifest's 'shards' are wrong", expected="sha256, index_sha256, keys_sha256", got=error
        ) from error
