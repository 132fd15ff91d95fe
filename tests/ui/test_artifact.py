"""View model of an artifact's page."""

from __future__ import annotations

import pytest

from airflow_mlplat.ui import artifact


def page(history, role):
    catalog, ref = history.catalog, history.refs[role]
    row = catalog.artifact(ref)
    return artifact.page(
        row,
        job=catalog.job(row.job_key) if row.job_key else None,
        aliases=catalog.aliases(),
        evaluations=catalog.evaluations([ref.digest]),
        spans={},
        decision=None,
    )


def test_a_model(history):
    made = page(history, "model")
    assert made.aliases == ["fashion@champion"]
    assert made.parents == [history.refs["dataset"]]
    assert made.files == {"weights.npz": "f" * 64}
    assert sorted(made.facts) == ["framework", "signature", "training"]
    assert made.made_by["stage"] == "train"
    assert made.made_by["statistics"] == {"seconds": 1.5}
    assert [one.value for one in made.model.accuracies] == [0.9]
    assert made.dataset is made.span is made.decision is None


@pytest.mark.parametrize(
    ("role", "facts"),
    [
        ("span", ["classes"]),
        ("dataset", []),
        ("predictions", ["classes", "dataset", "model", "samples"]),
        ("evaluation", ["metrics"]),
        ("decision", ["alpha"]),
    ],
)
def test_what_has_no_place_of_its_own_is_listed(history, role, facts):
    assert sorted(page(history, role).facts) == facts


def test_a_span_was_made_by_no_job(history):
    made = page(history, "span")
    assert made.made_by == {}
    assert made.span.quarantined == [("undecodable", 2), ("duplicate-key", 1)]
