"""What is compared with what."""

from __future__ import annotations

import pytest

from airflow_mlplat.contract import Ref

pytestmark = pytest.mark.airflow


def refs(*numbers: int) -> list[Ref]:
    return [Ref("predictions", "digits", f"{number:064x}") for number in numbers]


def test_the_key_of_a_comparison_does_not_depend_on_the_champion_or_on_order() -> None:
    from airflow_mlplat.operators.comparison import Comparison

    holdout, champion = Ref("dataset", "test", "f" * 64), Ref("model", "digits", "e" * 64)
    one = Comparison("digits", "champion", refs(1, 2), holdout, "2026-01-01", None)
    assert one.key == Comparison("digits", "champion", refs(2, 1), holdout, "2026-01-01", champion).key
    assert one.key != Comparison("digits", "champion", refs(1), holdout, "2026-01-01", None).key
    assert one.key != Comparison("digits", "champion", refs(1, 2), holdout, "2026-01-02", None).key


def test_wrong_challengers_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.operators.comparison import Comparison

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))
    with pytest.raises(SpecError, match="challengers were not measured on one test set"):
        Comparison.of(JobHook(), "2026-01-01", [], "digits@champion")


@pytest.fixture
def scores(made):
    """Predictions of a model `digits` on the test set `test`, whose only span is `span`."""
    _, _, span = made("dataset", "span", "test", samples=0)
    _, _, holdout = made("dataset", "dataset", "test", parents=[span.to_json()])
    _, _, other = made("dataset", "dataset", "digits")

    def predict(*training: object) -> Ref:
        _, _, model = made("train", "model", "digits", parents=[ref.to_json() for ref in training or (other,)])
        parents = [model.to_json(), holdout.to_json()]
        return made("predict", "predictions", "digits", dataset=holdout.digest, parents=parents)[2]

    predict.holdout, predict.span = holdout, span
    return predict


def test_a_champion_of_another_name_is_refused(made, scores) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators.comparison import Comparison

    challengers = [scores().to_json()]
    assert Comparison.of(made.hook, "2026-01-01", challengers, "digits@champion").champion is None
    expected = "champion is another model's alias; expected 'digits@champion', of the challenger; got 'digist@champion'"
    with pytest.raises(SpecError, match=expected):
        Comparison.of(made.hook, "2026-01-01", challengers, "digist@champion")


def test_a_challenger_that_was_trained_on_its_test_set_is_refused(made, scores) -> None:
    from airflow_mlplat.errors import SpecError
    from airflow_mlplat.operators.comparison import Comparison

    _, _, wider = made("dataset", "dataset", "digits", parents=[scores.span.to_json()], window_days=2)
    for training in (scores.holdout, wider):
        challengers = [scores(training).to_json()]
        with pytest.raises(SpecError, match=r"was trained on samples that it is tested on; .* got 1 spans in both"):
            Comparison.of(made.hook, "2026-01-01", challengers, "digits@champion")
