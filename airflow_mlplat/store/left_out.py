"""The records of a dataset's days, or of one span's, that are not in it, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import Ref
from airflow_mlplat.store.span import QUARANTINE_FILE

if TYPE_CHECKING:
    from airflow_mlplat.store.store import Store


def left_out(store: Store, ref: Ref) -> Iterator[dict[str, Any]]:
    """What the bridge set aside, then what was dropped when the dataset was built; day by day.

    Args:
        store: Where it lies.
        ref: A dataset version, or a span.

    Yields:
        `partition`, `key`, `reason`, `detail` and `by`: `bridge` or `dataset`.

    Raises:
        NotFoundError: The dataset, or a span of it, is not in the store.
        CorruptionError: A file is damaged.
    """
    document = store.manifest(ref)
    if ref.kind == "span":
        yield from _set_aside(store, document)
        return
    for parent, part in zip(document["parents"], document["spans"]):
        yield from _set_aside(store, store.manifest(Ref.from_json(parent)))
        drops = json.loads(store.blob(document["files"][part["drops"]])) if part["drops"] else []
        yield from (_row(part["partition"], row, "dataset") for row in drops)


def _set_aside(store: Store, span: dict[str, Any]) -> Iterator[dict[str, Any]]:
    lines = store.blob(span["files"][QUARANTINE_FILE]).splitlines() if QUARANTINE_FILE in span["files"] else []
    return (_row(span["partition"], json.loads(line), "bridge") for line in lines)


def _row(partition: str, row: dict[str, Any], by: str) -> dict[str, Any]:
    return {"partition": partition, **{name: row.get(name, "") for name in ("key", "reason", "detail")}, "by": by}
