"""What one job may read of a store, as a folder of its own: links to the files, so that nothing is copied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import NotFoundError, StoreError
from airflow_mlplat.store import layout

if TYPE_CHECKING:
    from airflow_mlplat.store.store import Store


def grant(store: Store, folder: Path, refs: Iterable[Ref], blobs: Iterable[str] = ()) -> None:
    """Make a folder a store of nothing but some things, to be read.

    On the store's own file system its files are linked; elsewhere they are copied.

    Args:
        store: A local one.
        folder: New, or empty.
        refs: What may be read; with a dataset its spans.
        blobs: SHA-256 of further blobs.

    Raises:
        NotFoundError: One of them is not in the store.
        StoreError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in dict.fromkeys(granted_files(store, refs, blobs)):
        source = store.backend.local_path(path)
        if source is None or not source.is_file():
            raise NotFoundError(f"{path} is not in the store {store.url}")
        try:
            _link(source, folder / path)
        except OSError as error:
            raise StoreError(f"{path} cannot be put into {folder}", got=error.strerror) from error


def granted_files(store: Store, refs: Iterable[Ref], blobs: Iterable[str] = ()) -> Iterator[str]:
    """Paths of all files that are read of things: manifests, what they name, and a dataset's spans."""
    yield from map(layout.blob_path, blobs)
    for ref in refs:
        document = store.manifest(ref)
        yield layout.manifest_path(ref.kind, ref.digest)
        yield from layout.named_files(document)
        if ref.kind == "dataset":
            yield from granted_files(store, map(Ref.from_json, document["parents"]))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
