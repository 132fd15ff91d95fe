"""Training by the user's own loop."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import BuildError, SpecError
from airflow_mlplat.stages.model import load_facts, load_weights
from tests.stages.linear import LinearTrainer

BUILD = """
def build(params):
    return {"outputs": params["classes"]}

def train(ctx):
    start, state = ctx.resume()
    seen = int(state.get("seen", 0))
    for epoch in range(start, ctx.options.epochs):
        for images, labels in ctx.batches(epoch):
            seen += len(labels)
            ctx.model["trainer"].w += seen + images.sum() * 1e-6
        ctx.report(loss=1 / (epoch + 1), seen=seen)
        ctx.checkpoint(epoch + 1, {"seen": seen})
        if ctx.params.get("kill") == epoch and start == 0:
            raise KeyboardInterrupt
"""


class Trainer(LinearTrainer):
    """Lets the user's loop reach its weights, as a Keras model or a Gluon block does."""

    def __init__(self, *given):
        super().__init__(*given)
        self.model["trainer"] = self


def test_it_replaces_ours(train, dataset, store):
    made = train(dataset(range(96)), build=BUILD, trainer=Trainer)
    assert [(epoch["epoch"], epoch["seen"]) for epoch in made.metrics["epochs"]] == [(1, 96), (2, 192), (3, 288)]
    document = store.manifest(made.outputs["model"])
    assert document["training"]["steps"] == 9
    weights = load_weights(store, made.outputs["model"], load_facts(store, made.outputs["model"])[1])
    assert (weights["w"] > 1000).all()


def test_it_goes_on_from_its_checkpoint(train, dataset, store):
    data = dataset(range(96))
    how = {"build": BUILD, "trainer": Trainer, "params": {"kill": 1}}
    with pytest.raises(KeyboardInterrupt):
        train(data, "killed", **how)
    again = train(data, "killed", **how)
    assert again.stats["resumed_from"] == 6
    assert [epoch["seen"] for epoch in again.metrics["epochs"]] == [96, 192, 288]
    whole = train(data, "whole", build=BUILD, trainer=Trainer)
    weights = [
        load_weights(store, m.outputs["model"], load_facts(store, m.outputs["model"])[1]) for m in (again, whole)
    ]
    np.testing.assert_array_equal(weights[0]["w"], weights[1]["w"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            "    ctx.nosuch()",
            "train(ctx) of the build file, line 4 failed; got AttributeError: 'TrainContext' object has no",
        ),
        ("    ctx.report(loss=float('nan'))", "document is not plain JSON"),
    ],
)
def test_a_mistake_is_told(train, dataset, body, told):
    build = f'def build(params):\n    return {{"outputs": params["classes"]}}\ndef train(ctx):\n{body}\n'
    kind = BuildError if "line" in told else Exception
    with pytest.raises(kind, match=re.escape(told)):
        train(dataset(range(96)), build=build, trainer=Trainer)


def test_it_has_one_worker_on_one_device(train, train_together, dataset):
    data, told = dataset(range(96)), r"one worker, on one device; expected workers 1, devices 1; got workers {}\. leave"
    with pytest.raises(SpecError, match=told.format("2, devices 1")):
        train_together(data, 2, build=BUILD)
    with pytest.raises(SpecError, match=told.format("1, devices 2")):
        train(data, build=BUILD, trainer=Trainer, devices=2)
