"""Which samples of a span are of a class that the dataset has not, found once for each span and class list."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_mlplat.contract import JobResult, Ref, digest
from airflow_mlplat.stages.decodable import Checked
from airflow_mlplat.stages.job import Job
from airflow_mlplat.store import Samples

UNKNOWN_LABEL = "unknown label"


def unlisted(job: Job, ref: Ref, checked: Checked, classes: list[str]) -> list[dict[str, Any]]:
    """The samples of a span whose class is not among those of the dataset; some of them may not decode either.

    Labels are read only if the counts say that there are such samples, and what is found is kept in the store.

    Args:
        job: That asks.
        ref: The span.
        checked: What is known of it.
        classes: Names of the dataset's classes.

    Returns:
        `{"row", "key", "reason"}` of each, by row.
    """
    listed = sorted(set(checked.label_counts) & set(classes))
    if checked.unlabelled + sum(checked.label_counts[name] for name in listed) == checked.decodable:
        return []
    stage = "dataset/unlisted"
    key = digest(
        {"stage": stage, "span": ref.digest, "classes": listed, "code": job.spec.code_version, "image": job.spec.image}
    )
    known = job.store.result(key)
    if known is None:
        drops = find(job.samples(ref), classes)
        known = job.store.put_result(JobResult(key, stage, metrics={"drops": drops}))
    return known.metrics["drops"]


def find(samples: Samples, classes: list[str]) -> list[dict[str, Any]]:
    """Those samples whose class is not among some names, by row."""
    listed = np.array([name in classes for name in samples.classes] + [True])  # the last entry is -1: no label
    inside = samples.labels < len(samples.classes)
    rows = np.flatnonzero(~inside | ~listed[np.where(inside, samples.labels, -1)])
    return [{"row": row, "key": samples.key(row), "reason": UNKNOWN_LABEL} for row in rows.tolist()]
