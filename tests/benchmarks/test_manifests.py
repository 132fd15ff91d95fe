"""Many samples, made quickly: real ones that decode, in spans of their own."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data import decode
from airflow_mlplat.store import Samples, check_store, open_store
from benchmarks.manifests import png, write_spans


def test_an_image_has_its_pixels():
    pixels = np.random.RandomState(0).bytes(64)
    assert decode(png(pixels), (8, 8, 1)).tobytes() == pixels


def test_spans_share_media_and_differ_in_labels(tmp_path):
    store = open_store(tmp_path)
    spans = write_spans(store, 300, spans=3)
    first, *others = (Samples(store, span) for span in spans)
    assert len(first) == 100
    for other in others:
        assert list(other.media_of(range(100))) == list(first.media_of(range(100)))
        assert not np.array_equal(other.labels, first.labels)
    assert len({span.digest for span in spans}) == len({str(samples.partitions) for samples in (first, *others)}) == 3
    assert check_store(store).problems == []
