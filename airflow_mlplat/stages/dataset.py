"""Stage `dataset`: the spans of a window of partitions become one dataset version, without the samples that are bad.

Every sample of a span is decoded once: what was found is kept in the store as the result of a job of its own, so that
the next window, which has all but one of its spans in common with this one, reads only the new span's samples.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref, canonical_json
from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.stages.dataset_options import DatasetOptions
from airflow_mlplat.stages.decodable import Checked, check_span
from airflow_mlplat.stages.job import Job, Outcome
from airflow_mlplat.stages.unlisted import unlisted

_LISTED = 20
"""So many bad samples are in the log, one by one: of a dataset that is refused there is nothing else to look at."""


def run(job: Job) -> Outcome:
    """Build a dataset version of the input `spans`, in their order; the output is `dataset`."""
    options, spans = DatasetOptions.from_params(job.spec.params), job.inputs("spans")
    if not spans:
        raise DataError(f"no spans to build dataset {job.spec.name!r} of", fix="bridge a partition first")
    check_spans(spans)
    documents = [job.store.manifest(ref) for ref in spans]
    classes = agreed_classes(documents, options.classes)
    parts, started = [], time.monotonic()
    for ref, document in zip(spans, documents):
        checked = check_span(job, ref)
        drops = sorted(checked.drops + unlisted(job, ref, checked, classes), key=lambda drop: drop["row"])
        parts.append(_Part(ref, document["partition"], _first_of_each_row(drops), checked))
    for partition, bad in islice(((part.partition, drop) for part in parts for drop in part.drops), _LISTED):
        job.log.warning("%r of %s is bad: %s", bad["key"], partition, bad["reason"])
    _check_limit(parts, options.max_bad_fraction)
    ref = _put(job, classes, parts)
    decoded = sum(part.checked.samples for part in parts if part.checked.fresh)
    stats = {"decoded": decoded, "decode_seconds": round(time.monotonic() - started, 3)}
    kept = sum(part.kept for part in parts)
    job.log.info("%s: %d samples of %d spans; %d decoded now", ref, kept, len(parts), decoded)
    return Outcome({"dataset": ref}, {"samples": kept, "dropped": _reasons(parts)}, stats)


@dataclass(frozen=True)
class _Part:
    """A span in the dataset: which of its rows are dropped, and why."""

    ref: Ref
    partition: str
    drops: list[dict[str, Any]]
    checked: Checked

    @property
    def kept(self) -> int:
        return self.checked.samples - len(self.drops)


def agreed_classes(documents: list[dict[str, Any]], wanted: tuple[str, ...] | None) -> list[str]:
    """The dataset's classes: those asked for, or else those that all spans have.

    Args:
        documents: The spans' manifests.
        wanted: As asked for; None if not.

    Raises:
        DataError: The spans do not agree.
    """
    if wanted is not None:
        return list(wanted)
    first = documents[0]
    for other in documents:
        if other["classes"] != first["classes"]:
            raise DataError(
                f"spans of {first['partition']} and {other['partition']} have different classes",
                expected=first["classes"],
                got=other["classes"],
                fix="bridge one of them again with the same class list, or give the dataset its classes",
            )
    return list(first["classes"])


def _first_of_each_row(drops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [drop for i, drop in enumerate(drops) if i == 0 or drops[i - 1]["row"] != drop["row"]]


def _reasons(parts: list[_Part]) -> dict[str, int]:
    return dict(sorted(Counter(drop["reason"] for part in parts for drop in part.drops).items()))


def _check_limit(parts: list[_Part], limit: float) -> None:
    bad, total = sum(len(part.drops) for part in parts), sum(part.checked.samples for part in parts)
    if bad == total:
        raise DataError("no usable samples are left", got=f"{total} samples, {bad} bad: {_some(parts)}")
    if bad > limit * total:
        raise DataError(
            "too many bad samples",
            expected=f"{limit:.2%} at most (max_bad_fraction)",
            got=f"{bad} of {total} ({bad / total:.2%}): {_some(parts)}",
            fix="mend them at the source and bridge their partition again, or raise max_bad_fraction",
        )


def _some(parts: list[_Part], most: int = 3) -> str:
    drops = [(part.partition, drop) for part in parts for drop in part.drops]
    told = [f"{drop['key']!r} of {partition} ({drop['reason']})" for partition, drop in drops[:most]]
    return ", ".join(told) + (", …" if len(drops) > most else "")


def _put(job: Job, classes: list[str], parts: list[_Part]) -> Ref:
    files, spans, counts = {}, [], np.zeros(len(classes), np.int64)
    for number, part in enumerate(parts):
        file = None
        if part.drops:
            file = f"drops-{number:04d}-{part.partition}.json"
            files[file] = job.store.put_blob(canonical_json(part.drops))
        spans.append(
            {
                "partition": part.partition,
                "digest": part.ref.digest,
                "samples": part.kept,
                "dropped": len(part.drops),
                "drops": file,
            }
        )
        counts += [part.checked.label_counts.get(name, 0) for name in classes]
    return job.store.put_manifest(
        {
            "format": 1,
            "kind": "dataset",
            "name": job.spec.name,
            "classes": classes,
            "samples": sum(part.kept for part in parts),
            "label_counts": counts.tolist(),
            "spans": spans,
            "dropped": _reasons(parts),
            "files": files,
            "parents": [part.ref.to_json() for part in parts],
        }
    )


def check_spans(refs: list[Ref]) -> None:
    """Whether all references are to spans, each once.

    Raises:
        SpecError: They are not.
    """
    for ref in refs:
        if ref.kind != "span":
            raise SpecError("a dataset is built of spans", got=ref)
    if len({ref.digest for ref in refs}) != len(refs):
        raise SpecError("a span is listed twice", got=[str(ref) for ref in refs])
