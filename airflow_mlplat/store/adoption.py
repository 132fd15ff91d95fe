"""Take over what a job left in its outbox. Nothing there is believed: user code may have written it.

The job has ended: nothing changes any more while it is looked at.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from airflow_mlplat.contract import JobResult, JobSpec, Ref
from airflow_mlplat.errors import CorruptionError, MlplatError
from airflow_mlplat.store import layout
from airflow_mlplat.store.local import LocalBackend
from airflow_mlplat.store.store import Store, copied

MADE = {"train": "model", "predict": "predictions"}
"""Stage that runs user code → the kind of the one thing that it makes."""
DOCUMENT_BYTES = 64 << 20
"""More than any manifest has."""


def adopt(store: Store, outbox: Path, spec: JobSpec, result: JobResult) -> JobResult:
    """Commit a job's result and what it names, from the job's outbox.

    Of a job that ran user code, which are those with a framework, nothing is taken but the one thing that its stage
    makes, under the spec's name, made from the spec's inputs. Of others also what they leave for later jobs: results of
    other keys.

    Args:
        store: Where to.
        outbox: The folder; it is only read, and may be absent when the result names nothing new.
        spec: What the job was asked for.
        result: Of a success.

    Returns:
        The committed result: another job of the same key may have been first.

    Raises:
        CorruptionError: The result is not one of this spec, or a file of the outbox is not what its name says.
        NotFoundError: The result names what is neither in the outbox nor in the store.
    """
    if (result.job_key, result.stage) != (spec.key, spec.stage):
        raise CorruptionError("the job left another job's result", expected=spec.stage, got=result.stage)
    if spec.framework is not None:
        _check_outputs(spec, result)
    taken = _Outbox(store, outbox, spec)
    for ref in result.outputs.values():
        if not taken.adopt(ref) and spec.framework is not None and store.exists(ref):
            _check_made(spec, ref, store.manifest(ref))
    if spec.framework is None:
        taken.adopt_findings()
    return store.put_result(result)


def _check_outputs(spec: JobSpec, result: JobResult) -> None:
    found = [(ref.kind, ref.name) for ref in result.outputs.values()]
    if found != [(MADE.get(spec.stage), spec.name)]:
        raise CorruptionError(
            f"stage {spec.stage!r} made what it may not",
            expected=f"one {MADE.get(spec.stage)} {spec.name!r}",
            got=found,
        )


def _check_made(spec: JobSpec, ref: Ref, document: dict[str, Any]) -> None:
    """That it says to be made of what the job was given: predictions are found, and believed, by whose they are."""
    inputs = {one for refs in spec.inputs.values() for one in refs}
    parents = {Ref.from_json(parent) for parent in document["parents"]}
    if parents != inputs:
        raise CorruptionError(
            f"{ref} has parents that are not the inputs of its job",
            expected=sorted(map(str, inputs)),
            got=sorted(map(str, parents)),
        )
    if spec.stage == "train":
        expected: dict[str, Any] = {"framework": spec.framework}
    else:
        expected = {one.kind: one.digest for one in inputs}
    found = {name: document.get(name) for name in expected}
    if found != expected:
        raise CorruptionError(f"{ref} says to be another job's", expected=expected, got=found)


class _Outbox:
    """One job's outbox."""

    def __init__(self, store: Store, folder: Path, spec: JobSpec) -> None:
        self._store, self._folder, self._spec = store, folder, spec
        self._box = Store(LocalBackend(folder))
        self._seen: set[Ref] = set()

    def adopt(self, ref: Ref) -> bool:
        """Take a manifest and what it names, if it is here; whether it is."""
        path = layout.manifest_path(ref.kind, ref.digest)
        if ref in self._seen:
            return True
        if not self._has(path):
            return False  # it is in the store already, or `put_result` will say that it is not
        self._seen.add(ref)
        try:
            document = self._box.manifest(ref)
        except CorruptionError:
            raise
        except (MlplatError, ValueError, RecursionError) as error:
            raise CorruptionError(f"{path} of the outbox is no manifest of {ref}", got=error) from error
        if self._spec.framework is None:
            for parent in document["parents"]:
                self.adopt(Ref.from_json(parent))
        else:
            _check_made(self._spec, ref, document)
        for name in layout.named_files(document):
            if self._has(name, document=False):
                self._take(name)
        self._store.put_manifest(document)
        return True

    def adopt_findings(self) -> None:
        """Take results without outputs: stages keep there what they found out of an input."""
        for entry in self._box.backend.list(layout.RESULTS):
            self._has(entry.path)
            found = JobResult.from_json(json.loads(self._box.backend.read(entry.path)))
            if not found.outputs and found.job_key != self._spec.key:
                self._store.put_result(found)

    def _take(self, path: str) -> None:
        scratch = self._store.backend.scratch()
        try:
            found = copied(self._folder / path, scratch)
            if found != layout.sha256_of(path):
                raise CorruptionError(f"{path} of the outbox is not what its name says", got=f"SHA-256 {found[:12]}…")
            self._store.backend.put_if_absent(path, scratch)
        finally:
            scratch.unlink(missing_ok=True)

    def _has(self, path: str, *, document: bool = True) -> bool:
        """Whether a file is here; on the way to it and itself it must be no link, which could lead anywhere."""
        here = self._folder
        for part in ("", *path.split("/")):
            here = here / part
            try:
                found = here.lstat()
            except FileNotFoundError:
                return False
            plain = stat.S_ISREG(found.st_mode) if here == self._folder / path else stat.S_ISDIR(found.st_mode)
            if not plain:
                raise CorruptionError(f"{path} of the outbox is no plain file", got=stat.filemode(found.st_mode))
        if document and found.st_size > DOCUMENT_BYTES:
            raise CorruptionError(f"{path} of the outbox is too long", expected=DOCUMENT_BYTES, got=found.st_size)
        return True
