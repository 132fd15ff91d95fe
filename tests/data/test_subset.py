"""Rows of samples as samples."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data import Subset
from airflow_mlplat.errors import SpecError


def test_a_subset_reads_its_rows(memory):
    samples = memory(10)
    subset = Subset(samples, np.array([2, 7]))
    assert (len(subset), subset.ref, subset.classes) == (2, samples.ref, samples.classes)
    assert [subset.key(i) for i in range(2)] == ["digit/2", "digit/7"]
    assert subset.media(1) == samples.media(7)
    assert subset.labels_at(np.array([1, 1, 0])).tolist() == samples.labels[[7, 7, 2]].tolist()
    assert len(Subset(samples, np.array([], np.int64))) == 0


def test_rows_that_a_subset_has_not(memory):
    subset = Subset(memory(10), np.array([2, 7]))
    for row in (-1, 2):
        for read in (subset.media, subset.key):
            with pytest.raises(IndexError, match=f"row {row} of 2 samples"):
                read(row)
    assert subset.media(np.uint8(1)) == memory(10).media(7)


def test_many_media_of_a_subset(memory):
    samples = memory(10)
    subset = Subset(samples, np.array([2, 5, 7]))
    assert list(subset.media_of(np.array([2, 0, 2], np.uint8))) == [samples.media(row) for row in (7, 2, 7)]
    assert list(subset.media_of([])) == []
    for rows in ([0, 3], [-1]):
        with pytest.raises(IndexError, match=f"row {rows[-1]} of 3 samples"):
            subset.media_of(rows)
    for read in (subset.media_of, subset.labels_at, subset.manifest_rows):
        with pytest.raises(IndexError, match="row -1 of 3 samples"):
            read([-1])
        with pytest.raises(SpecError, match=r"rows are no list of whole numbers; .*; got bool \(3,\)"):
            read([True, False, True])


def test_which_rows_of_the_manifest_they_are(memory):
    subset = Subset(memory(20), np.array([3, 5, 9, 11]))
    nested = Subset(subset, np.array([1, 3]))
    assert subset.manifest_rows(np.array([2, 0])).tolist() == [9, 3]
    assert nested.manifest_rows(np.array([0, 1])).tolist() == [5, 11]
    assert nested.rows_digest == Subset(memory(20), np.array([5, 11])).rows_digest != subset.rows_digest


def test_where_a_subsets_shards_and_spans_end(memory):
    samples = memory(9, shard_ends=[3, 6, 9], span_ends=[6, 9])
    subset = Subset(samples, np.array([0, 2, 6, 7, 8]))
    assert subset.shard_ends.tolist() == [2, 2, 5]
    assert subset.span_ends.tolist() == [2, 5]
    assert subset.shard_ends.dtype == subset.span_ends.dtype == np.int64


def test_a_mask_is_refused(memory):
    with pytest.raises(SpecError, match=r"rows of a subset are a mask; .* give np\.flatnonzero\(mask\)"):
        Subset(memory(3), np.array([True, False, True]))


@pytest.mark.parametrize("rows", [[7, 2], [2, 2]])
def test_rows_of_a_subset_ascend(memory, rows):
    with pytest.raises(SpecError, match=r"rows of a subset do not ascend; expected each once, in order\. sort them"):
        Subset(memory(10), np.array(rows))


def test_what_will_be_read_is_handed_on(memory):
    samples = memory(10)
    Subset(samples, np.array([2, 7])).will_read(np.array([3, 1]))
    assert samples.hints == [[3, 1]]


@pytest.mark.parametrize(("rows", "row"), [([-1, 0], -1), ([3, 10], 10)])
def test_rows_of_a_subset_are_among_the_samples(memory, rows, row):
    with pytest.raises(SpecError, match=rf"not among the samples; expected 0 to 9; got row {row} of 10 samples\."):
        Subset(memory(10), np.array(rows))


@pytest.mark.parametrize("rows", [[0.5, 1.5], ["0"], [[5]], None, "abc", 5, [1j]])
def test_rows_of_a_subset_are_whole_numbers(memory, rows):
    with pytest.raises(SpecError, match="rows are no list of whole numbers"):
        Subset(memory(10), rows)


def test_a_subset_has_its_own_rows(memory):
    rows = np.arange(3)
    subset = Subset(memory(10), rows)
    rows[:] = 7
    assert subset.rows.tolist() == [0, 1, 2]
