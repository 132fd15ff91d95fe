"""What `sampling` may say, and what is drawn then."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.data import BatchIterator
from airflow_mlplat.data.sampling import check_sampling, mix_of
from airflow_mlplat.errors import DataError, SpecError


def drawn(samples, sampling):
    return mix_of(samples, sampling).rows(np.arange(len(samples)), 0, 0, "m")[0]


def test_balanced_classes(memory):
    samples = memory(300)
    samples.labels = np.where(np.arange(300) < 200, 0, np.where(np.arange(300) < 299, 1, 2))
    counts = np.bincount(samples.labels[drawn(samples, {"classes": "balanced"})])
    assert np.ptp(counts) <= 1
    assert len(counts) == 3  # of the classes that there are


def test_weighted_classes(memory):
    samples = memory(100)
    labels = samples.labels[drawn(samples, {"classes": {"3": 1, "7": 3}})]
    assert np.bincount(labels, minlength=10).tolist() == [0, 0, 0, 25, 0, 0, 0, 75, 0, 0]


def test_the_order_of_the_weights_does_not_matter(memory):
    samples = memory(100)
    one, other = ({"classes": dict(pairs)} for pairs in ([("3", 1), ("7", 3)], [("7", 3), ("3", 1)]))
    assert drawn(samples, one).tolist() == drawn(samples, other).tolist()


def test_without_a_label_is_never_drawn(memory):
    samples = memory(100)
    samples.labels = np.where(np.arange(100) < 90, -1, samples.labels)
    assert drawn(samples, {"classes": "balanced"}).min() >= 90


def test_replay(memory):
    samples = memory(100, span_ends=[30, 30, 80, 100])  # one span has none
    rows = drawn(samples, {"newest_span": 0.25})
    assert (rows >= 80).sum() == 25
    assert np.bincount(rows[rows < 80]).max() == 1  # no older one twice before all of them came


def test_the_first_span_has_nothing_to_replay(memory):
    for span_ends in ([50], [0, 0, 50]):
        rows = drawn(memory(50, span_ends=span_ends), {"newest_span": 0.25})
        assert sorted(rows.tolist()) == list(range(50))


def test_an_epoch_has_as_many_positions_as_samples_and_resumes_anywhere(memory, options, given):
    samples, how = memory(45), options(sampling={"classes": "balanced"})
    whole = given(samples, how, epochs=2)
    assert sum(len(rows) for _, _, rows, _ in whole) == 90
    iterator = BatchIterator(samples, how, epochs=2)
    states = [iterator.get_state() for _ in iterator]
    for taken, state in enumerate(states, 1):
        assert given(samples, how, 2, state) == whole[taken:]
    with pytest.raises(SpecError, match="state of another iteration"):
        BatchIterator(samples, options()).set_state(states[0])


@pytest.mark.parametrize(
    ("sampling", "message"),
    [
        ("balanced", r"sampling is not known; expected .*; got 'balanced'"),
        ({}, r"sampling is not known"),
        ({"classes": "balanced", "newest_span": 0.5}, r"sampling is not known"),
        ({"classes": {}}, r"sampling by classes is wrong; expected .*; got {}"),
        ({"classes": {"3": 0}}, r"sampling by classes is wrong"),
        ({"classes": {3: 1}}, r"sampling by classes is wrong"),
        ({"newest_span": 1.0}, r"sampling by newest_span is wrong; expected .*; got 1.0"),
        ({"newest_span": 1}, r"sampling by newest_span is wrong"),
    ],
)
def test_refuses(sampling, message):
    with pytest.raises(SpecError, match=message):
        check_sampling(sampling)


def test_refuses_what_samples_do_not_have(memory):
    samples = memory(30)
    with pytest.raises(SpecError, match=r"sampling names unknown classes of dataset:digits@abababababab; .*'eleven'"):
        mix_of(samples, {"classes": {"eleven": 1}})
    samples.labels = np.zeros(30, np.int64)
    with pytest.raises(DataError, match=r"has no samples of class '4', which sampling names"):
        mix_of(samples, {"classes": {"4": 1}})
    samples.labels = np.full(30, -1)
    with pytest.raises(DataError, match=r"has no labelled samples to balance"):
        mix_of(samples, {"classes": "balanced"})
    with pytest.raises(DataError, match=r"the newest span of dataset:digits@abababababab has no samples to draw from"):
        mix_of(memory(30, span_ends=[10, 30, 30]), {"newest_span": 0.5})
