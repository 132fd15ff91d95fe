"""Take over what a job left in its outbox. Nothing there is believed: every file must be what its name says."""

from __future__ import annotations

import json
from pathlib import Path

from airflow_mlplat.contract import JobResult, Ref
from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import layout
from airflow_mlplat.store.local import LocalBackend
from airflow_mlplat.store.store import Store, copied


def adopt(store: Store, outbox: Path, result: JobResult, *, findings: bool = False) -> JobResult:
    """Commit a job's result and what it names, from the job's outbox.

    Args:
        store: Where to.
        outbox: The folder; it is only read, and may be absent when the result names nothing new.
        result: Of a success.
        findings: Take the results of other keys too, which stages leave for later jobs. Only for jobs that ran no
            user's code: whoever may write such a result decides what those jobs find.

    Returns:
        The committed result: another job of the same key may have been first.

    Raises:
        CorruptionError: A file of the outbox is not what its name says.
        NotFoundError: The result names what is neither in the outbox nor in the store.
    """
    for ref in result.outputs.values():
        _adopt_manifest(store, outbox, ref)
    if findings:
        box = LocalBackend(outbox)
        for entry in box.list(layout.RESULTS):
            found = JobResult.from_json(json.loads(box.read(entry.path)))
            if not found.outputs and found.job_key != result.job_key:
                store.put_result(found)
    return store.put_result(result)


def _adopt_manifest(store: Store, outbox: Path, ref: Ref) -> None:
    box = Store(LocalBackend(outbox))
    if not box.exists(ref):
        return  # it is in the store already, or `put_result` will say that it is not
    _check_plain(outbox, layout.manifest_path(ref.kind, ref.digest))
    document = box.manifest(ref)
    for parent in document["parents"]:
        _adopt_manifest(store, outbox, Ref.from_json(parent))
    for path in layout.named_files(document):
        if box.backend.exists(path):
            _adopt_file(store, outbox, path)
    store.put_manifest(document)


def _adopt_file(store: Store, outbox: Path, path: str) -> None:
    _check_plain(outbox, path)
    scratch = store.backend.scratch()
    try:
        found = copied(outbox / path, scratch)
        if found != layout.sha256_of(path):
            raise CorruptionError(f"{path} of the outbox is not what its name says", got=f"SHA-256 {found[:12]}…")
        store.backend.put_if_absent(path, scratch)
    finally:
        scratch.unlink(missing_ok=True)


def _check_plain(outbox: Path, path: str) -> None:
    """A link could lead to what the job could not read itself."""
    if (outbox / path).resolve() != outbox.resolve() / path:
        raise CorruptionError(f"{path} of the outbox is no plain file", got="a link")
