"""The loop on a trainer in numpy: it learns, and a kill at any step changes nothing."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages import loop, options
from airflow_mlplat.stages.model import load_facts, load_weights
from tests.stages.linear import LinearTrainer

OPTIONS = {"epochs": 3, "checkpoint_every": 3, "validation_fraction": 0.2, "schedule": "cosine"}


class Killed(BaseException):
    """As SIGKILL: nothing of the package runs any more."""


def killed_at(step):
    class Trainer(LinearTrainer):
        def step(self, *batch):
            if self.count == step:
                raise Killed
            super().step(*batch)

    return Trainer


def assert_same_weights(store, *made):
    """Whether trainings of other options ended alike."""
    weights = [load_weights(store, m.outputs["model"], load_facts(store, m.outputs["model"])[1]) for m in made]
    np.testing.assert_array_equal(weights[0]["w"], weights[1]["w"])


def test_it_learns(train, dataset):
    made = train(dataset(range(600)), epochs=10)
    epochs = made.metrics["epochs"]
    assert [epoch["epoch"] for epoch in epochs] == list(range(1, 11))
    assert epochs[-1]["accuracy"] > 0.9 > epochs[0]["accuracy"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert made.metrics["accuracy"] == epochs[-1]["accuracy"]
    assert made.stats["resumed_from"] == 0


def test_the_same_twice_and_another_for_another_seed(train, dataset):
    data = dataset(range(200))
    first, second, other = train(data, "a"), train(data, "b"), train(data, "c", seed=1)
    assert first.outputs == second.outputs != other.outputs


def test_a_kill_at_any_step_changes_nothing(train, dataset):
    data = dataset(range(200))  # 164 to train on: 5 steps an epoch
    whole = train(data, "whole", **OPTIONS)
    resumed = []
    for step in range(15):
        with pytest.raises(Killed):
            train(data, f"killed-{step}", trainer=killed_at(step), **OPTIONS)
        again = train(data, f"killed-{step}", **OPTIONS)
        assert (again.outputs, again.metrics) == (whole.outputs, whole.metrics)
        resumed.append(again.stats["resumed_from"])
    assert resumed == [0, 0, 0, 3, 3, 5, 6, 6, 6, 9, 10, 10, 12, 12, 12]


def test_a_torn_checkpoint_costs_only_time(train, dataset, tmp_path, caplog):
    data = dataset(range(200))
    whole = train(data, "whole", **OPTIONS)
    with pytest.raises(Killed):
        train(data, "torn", trainer=killed_at(8), **OPTIONS)
    newest = max((tmp_path / "torn/checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-100])
    again = train(data, "torn", **OPTIONS)
    assert again.outputs == whole.outputs
    assert f"Ignored checkpoint {newest.name}" in caplog.text
    assert again.stats["resumed_from"] < 8


def test_a_run_that_was_done_but_for_its_result_trains_nothing(train, dataset):
    data = dataset(range(100))
    whole = train(data, **OPTIONS)
    again = train(data, **OPTIONS)
    assert again.outputs == whole.outputs
    assert again.stats["samples_per_second"] is None


def test_a_dataset_smaller_than_a_batch(train, dataset):
    made = train(dataset(range(20)), batch_size=64, epochs=2)
    assert [epoch["epoch"] for epoch in made.metrics["epochs"]] == [1, 2]


def test_the_learning_rate_follows_its_schedule(train, dataset):
    seen = []

    class Trainer(LinearTrainer):
        def measure(self, step):
            seen[:] = self.rates
            return super().measure(step)

    train(dataset(range(96)), trainer=Trainer, schedule="cosine", epochs=2)
    assert seen == pytest.approx([0.1 * 0.5 * (1 + np.cos(np.pi * step / 6)) for step in range(6)])


def test_early_stop_takes_the_best_epoch(train, dataset, store):
    class Trainer(LinearTrainer):
        """Gets worse after epoch 2."""

        def predict(self, images):
            worse = max(0, self.count - 10)
            return (super().predict(images) + worse) / (1 + 10 * worse)

    data, how = dataset(range(200)), {"validation_fraction": 0.2, "early_stop": 2}
    made = train(data, "early", trainer=Trainer, epochs=9, **how)
    losses = [epoch["validation_loss"] for epoch in made.metrics["epochs"]]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 2 < 9
    kept = made.metrics["epochs"][best - 1]
    assert {**kept, **made.metrics} == {**made.metrics, "epoch": best}, "the metrics are those of the kept weights"
    until = train(data, "until", trainer=Trainer, epochs=best, **how)
    assert_same_weights(store, made, until)


def test_a_loss_that_is_not_finite_is_told(train, dataset):
    class Trainer(LinearTrainer):
        def measure(self, step):
            return super().measure(step)._replace(loss=float("nan"))

    with pytest.raises(SpecError, match=re.escape("the loss is not finite at step 3; got nan. lower learning_rate")):
        train(dataset(range(96)), trainer=Trainer)


def test_checkpoints_are_skipped_when_they_would_cost_too_much(train, dataset, store, monkeypatch):
    data = dataset(range(192))
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 0.0)
    often = train(data, "often", epochs=2, checkpoint_every=1)
    assert often.stats["checkpoints"] == 12  # a period that is asked for is kept
    monkeypatch.setattr(options, "STRETCH", 1)
    seldom = train(data, "seldom", epochs=2)
    assert seldom.stats["checkpoints"] == 3  # the first, whose cost is not known yet, and each epoch's end
    assert_same_weights(store, often, seldom)
