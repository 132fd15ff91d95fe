"""What growth costs is measured on the real stage; here only that it works."""

from __future__ import annotations

import pytest

from airflow_mlplat.store import open_store
from benchmarks.growth import Build, first_batch, linked
from benchmarks.manifests import write_span, write_spans


def test_grown_and_built_whole_are_equal(tmp_path):
    store = open_store(tmp_path / "store")
    spans, new = write_spans(store, 200, spans=2), write_span(store, "2026-02-01", 20, seed=1)
    fresh = linked(store, tmp_path / "fresh")
    base = Build(store, spans, tmp_path / "base")
    built = base.wait()
    assert not base.runs
    grown = Build(store, [*spans, new], tmp_path / "grown").wait()
    assert grown.dataset == Build(fresh, [*spans, new], tmp_path / "whole").wait().dataset != built.dataset
    assert grown.cpu_seconds > 0
    found = first_batch(store, grown.dataset)
    assert (found["samples"], found["batch"]) == (220, 64)
    assert 0 <= found["open_seconds"] <= found["seconds"]


def test_a_build_that_fails_tells_why(tmp_path):
    store = open_store(tmp_path / "store")
    with pytest.raises(SystemExit, match="no spans to build dataset"):
        Build(store, [], tmp_path / "job").wait()
