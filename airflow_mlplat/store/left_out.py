"""The records of a dataset's days that are not in it, each with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import Ref
from airflow_mlplat.store.span import QUARANTINE_FILE

if TYPE_CHECKING:
    from airflow_mlplat.store.store import Store


def left_out(store: Store, dataset: Ref) -> Iterator[dict[str, Any]]:
    """What the bridge set aside, then what was dropped when the dataset was built; day by day.

    Args:
        store: Where the dataset lies.
        dataset: A dataset version.

    Yields:
        `partition`, `key`, `reason`, `detail` and `by`: `bridge` or `dataset`.

    Raises:
        NotFoundError: The dataset, or a span of it, is not in the store.
        CorruptionError: A file is damaged.
    """
    document = store.manifest(dataset)
    for parent, part in zip(document["parents"], document["spans"]):
        span = store.manifest(Ref.from_json(parent))
        lines = store.blob(span["files"][QUARANTINE_FILE]).splitlines() if QUARANTINE_FILE in span["files"] else []
        drops = json.loads(store.blob(document["files"][part["drops"]])) if part["drops"] else []
        for by, rows in (("bridge", map(json.loads, lines)), ("dataset", drops)):
            for row in rows:
                facts = {name: row.get(name, "") for name in ("key", "reason", "detail")}
                yield {"partition": part["partition"], **facts, "by": by}
