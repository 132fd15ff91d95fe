"""What manifests say of samples: which spans, which shards, which rows are dropped. No shard is looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import CorruptionError

if TYPE_CHECKING:
    from airflow_mlplat.store.store import Store


@dataclass(frozen=True)
class Part:
    """The samples of one span, less those that are dropped.

    Args:
        partition: The span's partition.
        classes: The span's, whose names its labels stand for.
        shards: As in the span's manifest, in order.
        samples: How many are left.
        drops: SHA-256 of the blob that lists the dropped rows; None if there are none.
    """

    partition: str
    classes: list[str]
    shards: list[dict[str, Any]]
    samples: int
    drops: str | None = None

    def dropped(self, store: Store) -> np.ndarray:
        """Which rows of the span are dropped: int64 (m,), ascending.

        Raises:
            CorruptionError: Not those that the manifest counted, or rows that the span has not.
        """
        if self.drops is None:
            return np.empty(0, np.int64)
        rows = np.unique(np.array([drop["row"] for drop in json.loads(store.blob(self.drops))], np.int64))
        total = sum(shard["samples"] for shard in self.shards)
        if len(rows) and not 0 <= rows[0] <= rows[-1] < total:
            raise CorruptionError(
                f"the dataset drops rows that its span of {self.partition} has not", expected=f"rows below {total}",
                got=f"{rows[0]} … {rows[-1]}",
            )  # fmt: skip
        if total - len(rows) != self.samples:
            raise CorruptionError(
                f"the list of rows dropped from the span of {self.partition} has another length",
                expected=total - self.samples,
                got=len(rows),
            )
        return rows


def span_parts(store: Store, ref: Ref, manifest: dict[str, Any]) -> list[Part]:
    """A span, whole."""
    found = sum(shard["samples"] for shard in manifest["shards"])
    return [Part(manifest["partition"], list(manifest["classes"]), manifest["shards"], found)]


def dataset_parts(store: Store, ref: Ref, manifest: dict[str, Any]) -> list[Part]:
    """The spans of a dataset, in order.

    Raises:
        CorruptionError: Its parents are not its spans, or a span has not as many samples as it should.
    """
    parts = []
    for parent, part in zip(manifest["parents"], manifest["spans"]):
        if parent["digest"] != part["digest"]:
            raise CorruptionError(
                f"{ref}: its parents are not its spans", expected=part["digest"], got=parent["digest"]
            )
        span = store.manifest(Ref.from_json(parent))
        kept = sum(shard["samples"] for shard in span["shards"]) - (part["dropped"] if part["drops"] else 0)
        if kept != part["samples"]:
            what = f"{ref}: the span of {span['partition']} has another number of samples"
            raise CorruptionError(what, expected=part["samples"], got=kept)
        drops = manifest["files"][part["drops"]] if part["drops"] else None
        parts.append(Part(span["partition"], list(span["classes"]), span["shards"], kept, drops))
    return parts


PARTS: dict[str, Callable[[Any, Ref, dict[str, Any]], list[Part]]] = {"span": span_parts, "dataset": dataset_parts}
"""Kind of what has samples → what it consists of."""


def shard_rows(store: Store, parts: list[Part]) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Where the samples of each shard end, and what is missing among them. Reads the lists of dropped rows.

    Returns:
        ends: int64 (S,): how many samples are left up to the end of each shard, over all parts.
        gaps: Number of a shard with dropped rows → int64 (m,): how many of its rows are left before each of them, so
            that the k-th row left is the row k + (how many gaps are k or less) of the shard.

    Raises:
        CorruptionError: A list is damaged, or is not that of its span.
    """
    kept: list[int] = []
    gaps: dict[int, np.ndarray] = {}
    for part in parts:
        dropped, start = part.dropped(store), 0
        for shard in part.shards:
            first, last = np.searchsorted(dropped, (start, start + shard["samples"])).tolist()
            if last > first:
                gaps[len(kept)] = dropped[first:last] - start - np.arange(last - first)
            kept.append(shard["samples"] - (last - first))
            start += shard["samples"]
    return np.cumsum(kept, dtype=np.int64), gaps
