"""What it costs to add 1 % to a dataset version, beside building it; and what it costs to open it."""

from __future__ import annotations

import argparse
import shutil
import statistics

from airflow_mlplat.store import open_store
from benchmarks.growth import Build, first_batch
from benchmarks.manifests import write_span, write_spans
from benchmarks.prepare import CACHE
from benchmarks.report import Row

SHARE = 100
"""One new sample for so many."""
OPENED = 5
"""How often a version is opened, each time in a new process."""


def rows(options: argparse.Namespace) -> list[Row]:
    """Measure it for each size. A version is built once: that alone takes minutes for ten million samples.

    Args:
        options: `samples`, as `benchmarks.__main__` has them.
    """
    return [row for samples in options.samples for row in _of_size(samples)]


def _of_size(samples: int) -> list[Row]:
    place = CACHE / "increments"
    shutil.rmtree(place, ignore_errors=True)
    try:
        store = open_store(place / "store")
        spans = write_spans(store, samples)
        new = write_span(store, "2026-02-01", samples // SHARE, seed=1)
        whole = Build(store, spans, place / "whole").wait()
        grown = Build(store, [*spans, new], place / "grown").wait()
        opened = [first_batch(store, grown.dataset) for _ in range(OPENED)]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    title = f"A dataset version of {samples:,} samples"
    peak = max(found["peak_mb"] for found in opened)
    return [
        _row(title, "built", [whole.seconds], f"{whole.cpu_seconds:.2f} s of processor time, one process"),
        _row(title, "1 % added", [grown.seconds], f"{grown.seconds / whole.seconds:.2%} of building it"),
        _row(title, "opened, first batch", [found["seconds"] for found in opened], f"{peak:.0f} MB at most"),
    ]


def _row(part: str, name: str, seconds: list[float], note: str) -> Row:
    return {
        "part": part,
        "name": name,
        "unit": "s",
        "median": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "rounds": seconds,
        "note": note,
    }
