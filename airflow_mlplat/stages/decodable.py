"""Which samples of a span do not decode, found once for each span, code and image, and kept in the store."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

from airflow_mlplat.contract import JobResult, digest
from airflow_mlplat.data import decode
from airflow_mlplat.errors import DataError
from airflow_mlplat.stages.job import Job
from airflow_mlplat.store import Samples

UNDECODABLE = "undecodable"
THREADS = 2
"""Decoding leaves Python's lock; more threads than this seldom help beside other jobs."""
_CHUNK = 256
_PROBE_SHAPE = (1, 1, 3)
"""All of an image is decoded, and then made this small: its size does not matter here."""


@dataclass(frozen=True)
class Checked:
    """What is known of a span.

    Args:
        drops: `{"row", "key", "reason"}` of each sample that does not decode, by row.
        fresh: Whether it was found out now.
    """

    drops: list[dict[str, Any]]
    fresh: bool


def undecodable(job: Job, samples: Samples) -> Checked:
    """The samples of a span that do not decode.

    What is found is committed as the result of a job whose key says what it depends on, as every result is.

    Raises:
        CorruptionError: The store's bytes are damaged, which is no fault of the sample.
    """
    stage = "dataset/decode"
    key = digest({"stage": stage, "span": samples.ref.digest, "code": job.spec.code_version, "image": job.spec.image})
    known = job.store.result(key)
    if known is not None:
        return Checked(known.metrics["drops"], False)
    drops = find(samples)
    job.store.put_result(JobResult(key, stage, metrics={"drops": drops, "samples": len(samples)}))
    job.log.info("Decoded the %d samples of %s: %d do not", len(samples), samples.ref, len(drops))
    return Checked(drops, True)


def find(samples: Samples) -> list[dict[str, Any]]:
    """Decode every sample of a span.

    Raises:
        CorruptionError: The store's bytes are damaged.
    """
    chunks = (range(start, min(start + _CHUNK, len(samples))) for start in range(0, len(samples), _CHUNK))
    with ThreadPoolExecutor(THREADS) as pool:
        bad = chain.from_iterable(pool.map(lambda rows: list(_bad(samples, rows)), chunks))
        return [{"row": row, "key": samples.key(row), "reason": UNDECODABLE} for row in bad]


def _bad(samples: Samples, rows: Iterable[int]) -> Iterable[int]:
    for row in rows:
        try:
            decode(samples.media(row), _PROBE_SHAPE)
        except DataError:
            yield row
