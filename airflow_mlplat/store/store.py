"""The store: blobs by content, manifests as commits, one result per job. Nothing in it ever changes."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import KINDS, JobResult, Ref, canonical_json, digest
from airflow_mlplat.errors import CorruptionError, NotFoundError, SpecError, StoreError
from airflow_mlplat.store import layout
from airflow_mlplat.store.backend import Backend, open_backend
from airflow_mlplat.store.outbox import OutboxBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20
"""Of files that are copied without holding them in memory."""


def open_store(url: str | Path, outbox: str | Path | None = None) -> Store:
    """The store at `/path` or `file:///path`, which need not exist: the first write makes it; or at `s3://bucket/path`.
    For reading also one at `http://…`, `https://…` or `webhdfs://…`.

    Args:
        url: Of the store.
        outbox: Folder for what is put, if that is not to be the store itself.

    Raises:
        ConfigError: No URL, or one of an unknown scheme.
    """
    backend = open_backend(url)
    return Store(backend if outbox is None else OutboxBackend(backend, Path(outbox)))


class Store:
    """Immutable things by their content's digest. Safe to use from many threads, processes and hosts at once.

    Args:
        backend: Where the bytes lie.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    @property
    def url(self) -> str:
        """What `open_store` takes in another process, `file:///path`."""
        return self.backend.url

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def check_writable(self) -> None:
        """Fail now rather than after the work whose results are to be put here.

        Raises:
            ConfigError: The store can only be read.
        """
        self.backend.scratch()

    def put_blob(self, content: bytes | Path) -> str:
        """Keep bytes, or a file's bytes, and return their SHA-256 in hex. Putting them again does nothing."""
        if isinstance(content, bytes):
            sha256 = digest(content)
            self.backend.put_if_absent(layout.blob_path(sha256), content)
            return sha256
        scratch = self.backend.scratch()
        try:
            sha256 = copied(content, scratch)  # hashed while copied: the file may be changing
            self.backend.put_if_absent(layout.blob_path(sha256), scratch)
        finally:
            scratch.unlink(missing_ok=True)
        return sha256

    def blob(self, sha256: str) -> bytes:
        """The bytes of a blob, verified.

        Raises:
            NotFoundError: There is none.
            CorruptionError: They are not what their name says.
        """
        return self.verified(layout.blob_path(sha256), sha256)

    def fetch_blob(self, sha256: str, path: Path) -> None:
        """Write a blob, verified, to a local file, which appears whole or not at all and replaces any other.

        Raises:
            NotFoundError: There is none.
            CorruptionError: The bytes are not what their name says.
        """
        part = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
        source, found, offset = layout.blob_path(sha256), hashlib.sha256(), 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    while chunk := self.backend.read_range(source, offset, _CHUNK_BYTES):
                        found.update(chunk)
                        offset += file.write(chunk)
                self._compare(source, sha256, found.hexdigest(), offset)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"blob {sha256[:12]} cannot be written to {path}", got=error.strerror) from error

    def verified(self, path: str, sha256: str) -> bytes:
        """The bytes of any stored file, if their SHA-256 is this.

        Raises:
            NotFoundError: There is no such file.
            CorruptionError: The bytes have another digest.
        """
        content = self.backend.read(path)
        self._compare(path, sha256, digest(content), len(content))
        return content

    def _compare(self, path: str, sha256: str, found: str, size: int) -> None:
        if found != sha256:
            raise CorruptionError(
                f"{path} of the store {self.url} is damaged",
                expected=f"SHA-256 {sha256[:12]}…",
                got=f"{found[:12]}… ({size} bytes)",
                fix="restore it from a copy, or delete it and run again what made it",
            )

    def put_manifest(self, document: dict[str, Any]) -> Ref:
        """Commit: from now on the thing exists. Last of the writes that make it; doing it again does nothing.

        Args:
            document: Plain JSON with `format`, `kind`, `name`, `files`, `parents`, and more as its kind asks.

        Raises:
            SpecError: The document is not a manifest.
            NotFoundError: Something that it names is not in the store.
        """
        layout.check_manifest(document)
        missing = [path for path in layout.named_files(document) if not self.backend.touch(path)]
        parents = [Ref.from_json(parent) for parent in document["parents"]]
        missing += [layout.manifest_path(p.kind, p.digest) for p in parents if not self.exists(p)]
        if missing:
            raise NotFoundError(
                f"manifest of {document['kind']} {document['name']!r} names what is not in the store {self.url}",
                got=", ".join(missing[:5]),
                fix="put the files and the parents before the manifest",
            )
        ref = Ref(document["kind"], document["name"], digest(document))
        self.backend.put_if_absent(layout.manifest_path(ref.kind, ref.digest), canonical_json(document))
        return ref

    def exists(self, ref: Ref) -> bool:
        """Whether the thing was committed to this store."""
        return self.backend.exists(layout.manifest_path(ref.kind, ref.digest))

    def manifest(self, ref: Ref) -> dict[str, Any]:
        """The manifest that a reference names, verified.

        Raises:
            NotFoundError: There is none in this store, or it is called otherwise.
            CorruptionError: Its bytes are not what its digest says.
        """
        try:
            document = self._manifest(ref.kind, ref.digest)
        except NotFoundError as error:
            raise NotFoundError(
                f"{ref} is not in the store {self.url}", fix="check the reference and MLPLAT_STORE"
            ) from error
        if document["name"] != ref.name:
            raise NotFoundError(f"{ref} is called otherwise", expected=repr(ref.name), got=repr(document["name"]))
        return document

    def is_whole(self, document: dict[str, Any]) -> bool:
        """Whether every file that a manifest names is there; its bytes are not looked at."""
        return all(self.backend.exists(path) for path in layout.named_files(document))

    def _manifest(self, kind: str, sha256: str) -> dict[str, Any]:
        path = layout.manifest_path(kind, sha256)
        document = json.loads(self.verified(path, sha256))
        layout.check_manifest(document)
        if document["kind"] != kind:
            raise CorruptionError(f"{path} lies in the wrong folder", expected=document["kind"], got=kind)
        return document

    def manifests(self, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """(digest, manifest) of every committed thing of a kind, verified, by digest."""
        if kind not in KINDS:
            raise SpecError("no such kind of manifest", expected=" | ".join(KINDS), got=repr(kind))
        for entry in self.backend.list(f"{layout.MANIFESTS}/{kind}"):
            name = re.fullmatch(r"([0-9a-f]{64})\.json", entry.path.rsplit("/", 1)[-1])
            if name:
                yield name[1], self._manifest(kind, name[1])

    def put_result(self, result: JobResult) -> JobResult:
        """Commit what a job made, unless another run of the same job was first; return the one that was.

        Raises:
            SpecError: The result of a failure, which is never committed.
            NotFoundError: An output is not in the store.
        """
        if result.error is not None:
            raise SpecError("a failed job's result is not committed", expected="error None", got=result.error.message)
        for role, ref in result.outputs.items():
            if not self.exists(ref):
                raise NotFoundError(f"output {role!r} of a result, {ref}, is not in the store {self.url}")
        self.backend.put_if_absent(layout.result_path(result.job_key), canonical_json(result.to_json()))
        committed = self.result(result.job_key)
        if committed is None:
            raise StoreError(
                f"result {result.job_key[:12]} vanished after it was put", fix="nothing may delete results"
            )
        return committed

    def result(self, job_key: str) -> JobResult | None:
        """The committed result of a job, None if there is none.

        Raises:
            CorruptionError: What lies there is no result of that job.
        """
        path = layout.result_path(job_key)
        try:
            content = self.backend.read(path)
        except NotFoundError:
            return None
        try:
            result = JobResult.from_json(json.loads(content))
        except (ValueError, SpecError) as error:
            raise CorruptionError(f"{path} of the store {self.url} is damaged", got=error) from error
        if result.job_key != job_key:
            raise CorruptionError(f"{path} is another job's result", got=result.job_key)
        return result

    def reusable_result(self, job_key: str) -> JobResult | None:
        """The committed result of a job, if the files of its outputs are still there.

        Raises:
            CorruptionError: A result or a manifest is damaged.
        """
        result = self.result(job_key)
        if result is None:
            return None
        return result if all(self._is_kept(ref) for ref in result.outputs.values()) else None

    def _is_kept(self, ref: Ref) -> bool:
        return self.exists(ref) and self.is_whole(self.manifest(ref))


def copied(source: Path, target: Path) -> str:
    """Copy a file; returns the SHA-256 of the bytes copied."""
    sha256 = hashlib.sha256()
    try:
        with source.open("rb") as reader, target.open("wb") as writer:
            while chunk := reader.read(_CHUNK_BYTES):
                sha256.update(chunk)
                writer.write(chunk)
    except OSError as error:
        raise StoreError(f"{source} cannot be copied into the store", got=error.strerror) from error
    return sha256.hexdigest()
