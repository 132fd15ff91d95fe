"""Checking a whole store: everything that anything names is there, and every byte is what was written."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import Ref, digest
from airflow_mlplat.errors import MlplatError, NotFoundError
from airflow_mlplat.store import layout
from airflow_mlplat.store.checksum import crc32c
from airflow_mlplat.store.index import INDEX_DTYPE, read_npy
from airflow_mlplat.store.samples import Samples

if TYPE_CHECKING:
    import numpy as np

    from airflow_mlplat.store.store import Store

_CHUNK_BYTES = 4 << 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Args:
        path: The file, relative to the store.
        what: What is wrong with it.
    """

    path: str
    what: str


@dataclass
class CheckReport:
    """What a check found.

    Args:
        checked: How many manifests, blobs, shards, samples and results were looked at.
        problems: What is wrong; empty if all is well.
    """

    checked: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def check_store(store: Store) -> CheckReport:
    """Read everything in a store and say what is wrong with it. Changes nothing, and raises only if the storage fails.

    Checks every manifest's digest, every blob, shard, index and keys file that one names, every parent, every sample's
    CRC-32C, and every result's outputs. What nothing names is garbage, not a problem.
    """
    return _Check(store).run()


class _Check:
    def __init__(self, store: Store) -> None:
        self.store, self.backend = store, store.backend
        self.checked: Counter[str] = Counter(dict.fromkeys(("manifests", "blobs", "shards", "samples", "results"), 0))
        self.problems: list[Problem] = []
        self.seen: set[tuple[str, ...]] = set()

    def run(self) -> CheckReport:
        for entry in self.backend.list(layout.MANIFESTS):
            self.manifest(entry.path)
        for entry in self.backend.list(layout.RESULTS):
            self.result(entry.path)
        return CheckReport(dict(self.checked), self.problems)

    def problem(self, path: str, what: str) -> None:
        self.problems.append(Problem(path, what))

    def first_time(self, *what: str) -> bool:
        """Whether it was not looked at yet: many manifests share files."""
        new = what not in self.seen
        self.seen.add(what)
        return new

    def manifest(self, path: str) -> None:
        self.checked["manifests"] += 1
        before = len(self.problems)
        content = self.backend.read(path)
        try:
            document = json.loads(content)
            layout.check_manifest(document)
            right = layout.manifest_path(document["kind"], digest(content))
        except (ValueError, MlplatError) as error:
            return self.problem(path, f"not a manifest: {error}")
        if right != path:
            return self.problem(path, f"its content belongs at {right}")
        for sha256 in document["files"].values():
            if self.first_time(sha256):
                self.checked["blobs"] += 1
                self.content(layout.blob_path(sha256), sha256, path)
        for shard in document.get("shards", ()):
            if self.first_time(shard["sha256"], shard["index_sha256"], shard["keys_sha256"]):
                self.shard(shard, path)
        for parent in document["parents"]:
            self.named(Ref.from_json(parent), path, "parent")
        if len(self.problems) == before:  # else what is wrong is said already
            self.counts(path, document)

    def counts(self, path: str, document: dict[str, Any]) -> None:
        """Whether a span or a dataset adds up."""
        if document["kind"] in ("span", "dataset"):
            try:
                Samples(self.store, Ref(document["kind"], document["name"], path[-69:-5])).verify()
            except (MlplatError, KeyError, TypeError, IndexError) as error:
                self.problem(path, f"cannot be read: {error}")

    def named(self, ref: Ref, path: str, role: str) -> None:
        if not self.store.exists(ref):
            self.problem(path, f"{role} {layout.manifest_path(ref.kind, ref.digest)} is missing")

    def content(self, path: str, sha256: str, namer: str) -> bool:
        """Whether a named file is there with the right bytes."""
        found, offset = hashlib.sha256(), 0
        try:
            while chunk := self.backend.read_range(path, offset, _CHUNK_BYTES):
                found.update(chunk)
                offset += len(chunk)
        except NotFoundError:
            self.problem(path, f"missing, named by {namer}")
            return False
        if found.hexdigest() != sha256:
            self.problem(path, f"damaged: its SHA-256 is {found.hexdigest()} ({offset} bytes), named by {namer}")
            return False
        return True

    def shard(self, shard: dict[str, Any], namer: str) -> None:
        self.checked["shards"] += 1
        path, index_path = layout.shard_path(shard["sha256"]), layout.index_path(shard["index_sha256"])
        keys_path = layout.keys_path(shard["keys_sha256"])
        self.content(path, shard["sha256"], namer)
        keys_right = self.content(keys_path, shard["keys_sha256"], namer)
        if not self.content(index_path, shard["index_sha256"], namer) or not self.backend.exists(path):
            return
        try:
            index = read_npy(self.backend.read(index_path), index_path)
            keys = read_npy(self.backend.read(keys_path), keys_path)["key"] if keys_right else [b"?"] * len(index)
        except (MlplatError, IndexError, TypeError) as error:
            return self.problem(index_path, f"cannot be read: {error}")
        if index.dtype != INDEX_DTYPE or not len(index) == len(keys) == shard["samples"]:
            return self.problem(index_path, f"has {len(index)} rows for {len(keys)} keys, named by {namer}")
        self.samples(path, index, keys)

    def samples(self, path: str, index: np.ndarray, keys: Any) -> None:
        for row, key in zip(index, keys):
            self.checked["samples"] += 1
            if crc32c(self.backend.read_range(path, int(row["offset"]), int(row["size"]))) != row["crc32c"]:
                self.problem(path, f"sample {key.decode(errors='replace')!r} is damaged: wrong CRC-32C")

    def result(self, path: str) -> None:
        self.checked["results"] += 1
        try:
            result = self.store.result(path[len(layout.RESULTS) + 1 : -len(".json")])
        except MlplatError as error:
            return self.problem(path, str(error))
        for role, ref in result.outputs.items() if result else ():
            self.named(ref, path, f"output {role!r}")
