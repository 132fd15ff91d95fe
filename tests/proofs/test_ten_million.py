"""A dataset version of ten million samples: it opens at once, and grows for the price of what is new."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from pathlib import Path

import pytest

from airflow_mlplat.store import open_store
from benchmarks.growth import Build, first_batch, linked
from benchmarks.manifests import write_span, write_spans
from tests.proofs.conftest import Proof

SAMPLES = int(os.environ.get("PROOF_SAMPLES", "10000000"))
"""Fewer only try the proof out."""
SHARE = 100
"""One new sample for so many."""


@pytest.mark.proof("ten-million", slow=True)
@pytest.mark.timeout(5400)
def test_ten_million(proof: Proof, tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    spans = write_spans(store, SAMPLES)
    new = write_span(store, "2026-02-01", SAMPLES // SHARE, seed=1)
    fresh = linked(store, tmp_path / "fresh")
    try:
        base = Build(store, spans, tmp_path / "base")
        # Later than the first, so that it is under way while the second is built: all three under the same load.
        time.sleep(SAMPLES / 200_000)
        whole = Build(fresh, [*spans, new], tmp_path / "whole")
        built = base.wait()
        grown_build = Build(store, [*spans, new], tmp_path / "grown")
        grown, same_load = grown_build.wait(), whole.runs
        at_once = whole.wait()
        opened = [first_batch(store, built.dataset) for _ in range(5)]
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)
    assert all(found["samples"] == SAMPLES and found["batch"] == 64 for found in opened)
    how = f"median of {len(opened)} fresh processes, files in the page cache; {len(spans)} spans of their own indexes"
    seconds = statistics.median(found["seconds"] for found in opened)
    proof.row(
        seconds, f"s to open {SAMPLES:,} samples and take a batch", "<= 1 s", seconds <= 1,
        f"{how} share the shards of {SAMPLES // len(spans):,} samples; without imports",
    )  # fmt: skip
    peak = max(found["peak_mb"] for found in opened)
    proof.row(peak, "MB at most in that process", "<= 200 MB", peak <= 200, "VmHWM, with Python, numpy and imports")
    share = grown.seconds / built.seconds
    proof.row(
        100 * share, "% of building it, to add 1 %", "<= 2 %", share <= 0.02,
        f"{grown.seconds:.2f} s of {built.seconds:.1f} s; processor time {grown.cpu_seconds:.2f} s of "
        f"{built.cpu_seconds:.1f} s; with the process's start; beside another build: {same_load}",
    )  # fmt: skip
    equal = grown.dataset == at_once.dataset
    proof.row(
        "equal" if equal else "different", "digests, grown and built whole in a fresh store", "equal", equal,
        grown.dataset.digest[:12],
    )  # fmt: skip
