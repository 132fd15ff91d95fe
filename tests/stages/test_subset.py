"""Rows of samples as samples, and the share that is held out."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.subset import Subset, held_out
from airflow_mlplat.store import Samples

KEYS = np.array([f"{n:05d}".encode() for n in range(10_000)])


def test_a_subset_reads_its_rows(store, dataset):
    samples = Samples(store, dataset(range(10)))
    subset = Subset(samples, np.array([2, 7]))
    assert (len(subset), subset.ref, subset.classes) == (2, samples.ref, samples.classes)
    assert [subset.key(i) for i in range(2)] == ["00002", "00007"]
    assert subset.media(1) == samples.media(7)
    assert subset.labels.tolist() == [samples.labels[2], samples.labels[7]]
    assert subset.labels_at(np.array([1, 1, 0])).tolist() == subset.labels[[1, 1, 0]].tolist()
    assert len(Subset(samples, np.array([], np.int64)).labels) == 0


def test_where_a_subsets_shards_and_spans_end(store, run, span):
    spans = [span(range(first, first + 3), partition=f"2026-01-0{first}") for first in (1, 4, 7)]
    samples = Samples(store, run("dataset", inputs={"spans": spans}).outputs["dataset"])
    subset = Subset(samples, np.array([0, 2, 6, 7, 8]))
    assert samples.shard_ends.tolist() == samples.span_ends.tolist() == [3, 6, 9]
    assert subset.shard_ends.tolist() == subset.span_ends.tolist() == [2, 2, 5]
    assert subset.shard_ends.dtype == np.int64
    assert subset.partitions == samples.partitions


def test_a_subset_hands_on_what_will_be_read(store, dataset):
    class Hinted(Samples):
        def will_read(self, shards):
            hints.append(shards.tolist())

    hints: list = []
    Subset(Hinted(store, dataset(range(10))), np.array([2, 7])).will_read(np.array([3, 1]))
    assert hints == [[3, 1]]


@pytest.mark.parametrize("rows", [[7, 2], [2, 2]])
def test_rows_of_a_subset_ascend(store, dataset, rows):
    with pytest.raises(SpecError, match=r"rows of a subset do not ascend\. sort them, each once"):
        Subset(Samples(store, dataset(range(10))), np.array(rows))


def test_the_share_is_about_the_fraction():
    for fraction in (0.1, 0.5):
        assert abs(held_out(KEYS, fraction).mean() - fraction) < 0.02
    assert not held_out(KEYS, 0.0).any()


def test_a_sample_is_held_out_whatever_else_is_there():
    assert (held_out(KEYS[5000:], 0.2) == held_out(KEYS, 0.2)[5000:]).all()


def test_a_larger_fraction_holds_out_more_of_the_same():
    assert (held_out(KEYS, 0.3) | ~held_out(KEYS, 0.1)).all()


def test_which_ones_are_golden():
    """A change here changes models that hold samples out."""
    assert np.flatnonzero(held_out(KEYS[:60], 0.1)).tolist() == [15, 44, 50, 51]
