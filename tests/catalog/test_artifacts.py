from __future__ import annotations

import pytest

from airflow_mlplat.catalog import artifacts
from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import NotFoundError


def test_newest_first_by_kind_and_name(catalog, make):
    refs = [make.model(version) for version in range(3)]
    make.model(9, name="other")
    make.dataset(1)
    assert [row.ref for row in catalog.artifacts("model", "fashion")] == refs[::-1]
    assert len(catalog.artifacts("model")) == 4
    assert [row.name for row in catalog.artifacts("model", limit=1)] == ["other"]
    assert catalog.artifacts("evaluation") == []


def test_artifact_by_reference_and_by_prefix(catalog, make):
    spec, ref = make.job("train", "model", "fashion", version=1)
    row = catalog.artifact(ref)
    assert (row.ref, row.digest, row.kind, row.name) == (ref, ref.digest, "model", "fashion")
    assert row.document["version"] == 1 and row.partition == "2026-01-01" and row.job_key == spec.key
    assert row.created_at.tzinfo is not None
    assert catalog.artifact(ref.digest[:6]) == catalog.artifact(ref.digest) == row


def test_absent_short_and_wrong_digests(catalog, make):
    ref = make.model(1)
    with pytest.raises(NotFoundError, match="no artifact has a digest that begins with 0000000"):
        catalog.artifact("0000000")
    with pytest.raises(NotFoundError, match=f"'{ref.digest[:5]}' is no digest; expected 6 to 64 hex digits"):
        catalog.artifact(ref.digest[:5])
    with pytest.raises(NotFoundError, match="no dataset 'fashion' has a digest that begins with"):
        catalog.artifact(Ref("dataset", "fashion", ref.digest))


def test_ambiguous_prefix_names_the_candidates(catalog, make):
    things = [
        (Ref("model", name, "abcdef" + digit * 58), {"format": 1, "kind": "model", "name": name})
        for name, digit in (("one", "1"), ("two", "2"))
    ]
    now = make.span().committed_at
    with catalog._session.writing("test") as connection:
        artifacts.add(connection, things, "2026-01-01", now)
    with pytest.raises(NotFoundError, match="abcdef is ambiguous; got model:one@abcdef111111, model:two@abcdef222222"):
        catalog.artifact("abcdef")
    assert catalog.artifact("abcdef2").name == "two"


def test_predictions_of_a_model_on_a_dataset(catalog, make):
    model, dataset = make.model(1), make.dataset(1)
    assert catalog.predictions(model.digest, dataset.digest) is None
    _, ref = make.job("predict", "predictions", "fashion", model=model.digest, dataset=dataset.digest)
    assert catalog.predictions(model.digest, dataset.digest) == ref
    assert catalog.predictions(dataset.digest, model.digest) is None


def test_same_artifact_is_seen_from_every_partition_that_made_it(catalog, make):
    for partition, version in (("2026-01-01", 1), ("2026-01-03", 1), ("2026-01-02", 2)):
        make.dataset(version, partition)
    one, two = (row.ref for row in sorted(catalog.artifacts("dataset"), key=lambda row: row.document["version"]))
    seen = [catalog.resolve("fashion", partition=f"2026-01-0{day}") for day in (1, 2, 3, 4)]
    assert seen == [one, two, one, one]
    with catalog._session.reading() as connection:
        assert artifacts.partitions(connection, one.digest) == ["2026-01-01", "2026-01-03"]


def test_what_was_put_back_is_the_newest_again(catalog, make):
    first, second = make.dataset(1), make.dataset(2)
    assert catalog.resolve(second.name) == second
    assert make.dataset(1) == first
    assert catalog.resolve(first.name) == first
