"""Whatever the iterator reads has all of a `SampleSource`: what is in a store, parts of it, and the tests' stand-in."""

from __future__ import annotations

import pytest

from airflow_mlplat.data import Subset
from airflow_mlplat.data.source import SampleSource
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store

MEMBERS = [name for name in vars(SampleSource) if not name.startswith("_")]


@pytest.mark.parametrize("name", MEMBERS)
def test_every_source_has_it(tmp_path, memory, name):
    store = open_store(tmp_path)
    with SpanWriter(store, "one", "2026-01-01", ["a"]) as writer:
        writer.add(Sample("x", b"media", 0))
        span = writer.commit()
    real, stand_in = Samples(store, span), memory(1)
    for source in (real, Subset(real, [0]), Subset(stand_in, [0])):
        assert callable(getattr(source, name)) == callable(getattr(stand_in, name)), source


def test_there_is_something_to_have():
    assert {"ref", "media", "labels_at", "will_read"} <= set(MEMBERS)
