"""Which samples of a span do not decode, and how many there are of each class of those that do.

Found once for each span, code and image, and kept in the store: a dataset of spans that are known reads none of their
samples.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from airflow_mlplat.contract import JobResult, Ref, digest
from airflow_mlplat.data.decode import read_image
from airflow_mlplat.errors import DataError
from airflow_mlplat.stages.job import Job
from airflow_mlplat.store import Samples
from airflow_mlplat.store.index import NO_LABEL

UNDECODABLE = "undecodable"
THREADS = 2
"""Decoding leaves Python's lock; more threads than this seldom help beside other jobs."""
_LISTED = 20
"""So many are in the log with what is wrong."""
_CHUNK = 256
_CHANNELS = 3
"""In colour, and in its own size: whether an image decodes depends on neither."""


@dataclass(frozen=True)
class Checked:
    """What is known of a span.

    Args:
        samples: How many it has.
        drops: `{"row", "key", "reason"}` of each sample that does not decode, by row.
        label_counts: Class → how many of the samples that decode.
        unlabelled: How many of the samples that decode have no label.
        fresh: Whether it was found out now.
    """

    samples: int
    drops: list[dict[str, Any]]
    label_counts: dict[str, int]
    unlabelled: int
    fresh: bool = False

    @property
    def decodable(self) -> int:
        """How many samples decode."""
        return self.samples - len(self.drops)


def check_span(job: Job, ref: Ref) -> Checked:
    """What there is to know of a span.

    What is found is committed as the result of a job whose key says what it depends on, as every result is.

    Raises:
        CorruptionError: The store's bytes are damaged, which is no fault of the sample.
    """
    stage = "dataset/span"
    key = digest({"stage": stage, "span": ref.digest, "code": job.spec.code_version, "image": job.spec.image})
    known = job.store.result(key)
    if known is not None:
        return Checked(**known.metrics)
    samples = job.samples(ref)
    drops = find(samples, job.log)
    found = {"samples": len(samples), "drops": drops, **count_labels(samples, [drop["row"] for drop in drops])}
    job.store.put_result(JobResult(key, stage, metrics=found))
    job.log.info("Decoded the %d samples of %s: %d do not", len(samples), samples.ref, len(drops))
    return Checked(**found, fresh=True)


def count_labels(samples: Samples, dropped: list[int]) -> dict[str, Any]:
    """`label_counts` and `unlabelled` of all samples but some rows; a label beyond the classes counts as neither."""
    labels = np.delete(samples.labels, np.array(dropped, np.int64))
    classes = len(samples.classes)
    counts = np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes).tolist()
    return {"label_counts": dict(zip(samples.classes, counts)), "unlabelled": int((labels == NO_LABEL).sum())}


def find(samples: Samples, log: logging.Logger) -> list[dict[str, Any]]:
    """Decode every sample of a span.

    Why one does not decode is logged, of the first of them, and not kept: decoders say it in words that change with
    their version, and what is kept of drops counts in the dataset's digest.

    Raises:
        CorruptionError: The store's bytes are damaged.
    """
    chunks = (range(start, min(start + _CHUNK, len(samples))) for start in range(0, len(samples), _CHUNK))
    with ThreadPoolExecutor(THREADS) as pool:
        bad = chain.from_iterable(pool.map(lambda rows: list(_bad(samples, rows)), chunks))
        drops: list[dict[str, Any]] = []
        for row, words in bad:
            if len(drops) < _LISTED:
                log.warning("%r of %s does not decode: %s", samples.key(row), samples.ref, words)
            drops.append({"row": row, "key": samples.key(row), "reason": UNDECODABLE})
        return drops


def _bad(samples: Samples, rows: Iterable[int]) -> Iterable[tuple[int, str]]:
    for row in rows:
        try:
            read_image(samples.media(row), _CHANNELS)
        except DataError as error:
            yield row, str(error)  # the error itself would keep the media in its traceback
