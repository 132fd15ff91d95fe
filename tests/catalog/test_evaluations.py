"""Evaluations of model versions."""

from __future__ import annotations

from airflow_mlplat.contract import Ref


def evaluate(make, model: Ref, dataset: Ref, accuracy: float) -> Ref:
    parents = [model.to_json(), dataset.to_json()]
    facts = {"model": model.digest, "dataset": dataset.digest, "parents": parents}
    predictions = make.job("predict", "predictions", "fashion", **facts)[1]
    facts = {"metrics": {"accuracy": accuracy}, "parents": [predictions.to_json()]}
    return make.job("evaluate", "evaluation", "fashion", **facts)[1]


def test_evaluations_are_found_by_model(catalog, make):
    one, other, third = make.model(1), make.model(2), make.model(3)
    test_set = make.dataset(1, name="fashion-test")
    make_one, make_other = evaluate(make, one, test_set, 0.5), evaluate(make, other, test_set, 0.75)
    rows = {row.model: row for row in catalog.evaluations([one.digest, other.digest, third.digest])}
    assert set(rows) == {one.digest, other.digest}
    assert rows[one.digest].ref == make_one
    assert rows[other.digest].ref == make_other
    assert rows[other.digest].metrics == {"accuracy": 0.75}
    assert rows[other.digest].dataset == test_set


def test_the_newest_comes_first(catalog, make):
    model = make.model(1)
    first = evaluate(make, model, make.dataset(1, name="fashion-test"), 0.5)
    second = evaluate(make, model, make.dataset(2, name="fashion-test"), 0.75)
    assert [row.ref for row in catalog.evaluations([model.digest])] == [second, first]


def test_a_test_dataset_that_is_not_in_the_catalog_has_no_name(catalog, make):
    model, absent = make.model(1), Ref("dataset", "fashion-test", "ab" * 32)
    evaluate(make, model, absent, 0.5)
    (row,) = catalog.evaluations([model.digest])
    assert row.dataset == Ref("dataset", "", absent.digest)


def test_of_nothing_there_is_nothing(catalog):
    assert catalog.evaluations([]) == []


def test_thousands_of_models_can_be_asked_for(catalog, make):
    model = make.model(1)
    evaluate(make, model, make.dataset(1, name="fashion-test"), 0.5)
    many = [f"{number:064x}" for number in range(1200)]
    assert len(catalog.evaluations([*many, model.digest])) == 1


def test_names_of_a_kind(catalog, make):
    for name in ("zoo", "fashion", "zoo"):
        make.model(1, name=name)
    make.dataset(1, name="fashion-test")
    assert catalog.names("model") == ["fashion", "zoo"]
    assert catalog.names("predictions") == []
