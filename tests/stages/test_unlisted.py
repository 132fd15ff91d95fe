"""Samples of classes that a dataset has not."""

from __future__ import annotations

import logging

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.stages.decodable import check_span
from airflow_mlplat.stages.job import Job
from airflow_mlplat.stages.unlisted import find, unlisted
from airflow_mlplat.store import Samples
from tests.stages.conftest import CLASSES


@pytest.fixture
def job(store, tmp_path):
    spec = JobSpec("dataset", "digits", store.url, code_version="c", image="i")
    return Job(spec, store, tmp_path, None, logging.getLogger("tests.stages"))


def test_rows_of_other_classes(store, span):
    samples = Samples(store, span(range(20), unlabelled=[5]))
    found = find(samples, ["1", "2"])
    expected = [row for row, label in enumerate(samples.labels.tolist()) if label not in (-1, 1, 2)]
    assert [drop["row"] for drop in found] == expected
    assert found[0] == {"row": expected[0], "key": f"{expected[0]:05d}", "reason": "unknown label"}


def test_nothing_is_read_where_all_classes_are_listed(store, job, span):
    ref = span(range(20), bad=[2], unlabelled=[5])
    checked = check_span(job, ref)
    for path in (store.backend.root / "shards").iterdir():
        path.unlink()
    assert unlisted(job, ref, checked, CLASSES[::-1]) == []


def test_what_was_found_is_kept_for_each_class_list(store, job, span):
    ref = span(range(20))
    fresh, known = check_span(job, ref), check_span(job, ref)
    assert (fresh.fresh, known.fresh) == (True, False)
    lists = (["1", "2"], ["1"], ["2", "nothing", "1"])
    found = [unlisted(job, ref, fresh, classes) for classes in lists]
    assert found[0] == found[2] != found[1]
    for path in (store.backend.root / "shards").iterdir():
        path.unlink()
    assert [unlisted(job, ref, known, classes) for classes in lists] == found
