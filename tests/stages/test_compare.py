"""The compare stage: what it commits, and predictions that do not pair."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError

BASE = np.arange(100) >= 30
BETTER = np.arange(100) >= 10


def test_a_better_challenger(store, run, predictions):
    champion, worse, better = (predictions(n, c) for n, c in (("c", BASE), ("w", BASE), ("b", BETTER)))
    inputs = {"challengers": [worse, better], "champion": [champion]}
    made = run("compare", inputs=inputs, params={"alpha": 0.05, "looks": 3})
    document = store.manifest(made.outputs["decision"])
    assert document["outcome"] == "promoted"
    assert document["challenger"] == store.manifest(better)["model"]
    assert document["champion"] == store.manifest(champion)["model"]
    assert document["holdout"] == store.manifest(better)["dataset"]
    assert (document["looks"], document["looks_spent"], document["samples"]) == (3, 2, 100)
    assert [test["look"] for test in document["tests"]] == [4, 5]
    assert document["parents"] == [worse.to_json(), better.to_json(), champion.to_json()]
    assert made.metrics.items() <= document.items()
    assert set(made.outputs) == {"decision", "evaluation-0", "evaluation-1", "evaluation-champion"}
    accuracies = {
        role: store.manifest(ref)["metrics"]["accuracy"] for role, ref in made.outputs.items() if role != "decision"
    }
    assert accuracies == {"evaluation-0": 0.7, "evaluation-1": 0.9, "evaluation-champion": 0.7}


def test_an_evaluation_is_the_same_from_either_stage(run, predictions):
    ref = predictions("m", BASE)
    compared = run("compare", inputs={"challengers": [ref]})
    evaluated = run("evaluate", inputs={"predictions": [ref]})
    assert compared.outputs["evaluation-0"] == evaluated.outputs["evaluation"]


def test_the_first_champion(store, run, predictions):
    made = run("compare", inputs={"challengers": [predictions("a", BASE), predictions("b", BETTER)], "champion": []})
    document = store.manifest(made.outputs["decision"])
    assert (document["outcome"], document["champion"], document["looks_spent"]) == ("promoted", None, 0)
    assert document["reason"].startswith("no champion yet; the best challenger has accuracy 0.9000")


def test_samples_without_a_label_do_not_count(store, run, predictions):
    labels = np.where(np.arange(100) < 50, -1, 0)
    made = run("compare", inputs={"challengers": [predictions("a", BASE, labels=labels)]})
    assert store.manifest(made.outputs["decision"])["samples"] == 50


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"rows": range(99)}, "predictions of contender champion are of another test set; expected dataset "),
        ({"keys": np.array([b"%05d" % (i + 1) for i in range(100)])}, "predictions of contender champion do not pair"),
        ({"labels": np.ones(100, np.int64)}, "expected equal keys, labels and classes"),
    ],
)
def test_predictions_must_pair(run, predictions, other, told):
    inputs = {"challengers": [predictions("a", BASE)], "champion": [predictions("b", BASE, **other)]}
    with pytest.raises(SpecError, match=re.escape(told)):
        run("compare", inputs=inputs)


def test_bad_inputs_are_told(run, predictions):
    with pytest.raises(SpecError, match="nothing to compare; expected predictions of one challenger or more"):
        run("compare", inputs={"champion": [predictions("a", BASE)]})
    with pytest.raises(SpecError, match=r"unknown option 'alfa'; expected alpha \| looks\. Did you mean 'alpha'"):
        run("compare", params={"alfa": 1})
    with pytest.raises(SpecError, match="stage 'compare' takes one champion; expected 1; got 2"):
        run("compare", inputs={"champion": [predictions("a", BASE)] * 2})
