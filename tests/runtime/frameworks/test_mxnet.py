"""MXNet's trainer, in its own environment."""

from __future__ import annotations

import subprocess

import pytest

from tests.runtime.frameworks.conftest import ENV
from tests.runtime.frameworks.suite import *  # noqa: F403
from tests.runtime.frameworks.together import *  # noqa: F403

pytestmark = pytest.mark.mxnet
FRAMEWORK = "mxnet"
NATIVE = {"model-symbol.json", "model-0000.params"}
HALVES = ["bfloat16"]  # float16 is for GPUs

HEAD = """
from mxnet import autograd, gluon, init, nd
from mxnet.gluon import nn
def build(params):
    net = nn.HybridSequential()
"""
# With all that is hard to go on from: dropout, batch normalisation, first values of the user's own.
BUILD = (
    HEAD
    + """
    net.add(
        nn.Conv2D(16, 3, activation="relu", padding=1),
        nn.BatchNorm(momentum=0.9),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Dense(params["classes"]),
    )
    net[0].initialize(init.Orthogonal())
    return net
"""
)
# Of which each sample's part in a step is its own: no dropout, no batch normalisation.
PLAIN = (
    HEAD
    + """
    net.add(
        nn.Conv2D(16, 3, activation="relu", padding=1),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dense(params["classes"]),
    )
    return net
"""
)
DENSE = (
    HEAD
    + """
    net.add(nn.Dense({}))
    return net
"""
)
LOGITS = DENSE.format('params["classes"]')
SOFTMAX = (
    HEAD
    + """
    net.add(nn.Dense(params["classes"]), nn.HybridLambda("softmax"))
    return net
"""
)
OWN_LOOP = (
    LOGITS
    + """
def train(ctx):
    trainer = gluon.Trainer(ctx.model.collect_params(), "adam", {"learning_rate": 0.01})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    start, _ = ctx.resume()
    for epoch in range(start, ctx.options.epochs):
        for images, labels in ctx.batches(epoch):
            with autograd.record():
                inputs = nd.array(images.transpose(0, 3, 1, 2) / 255.0)
                loss = loss_of(ctx.model(inputs), nd.array(labels)).mean()
            loss.backward()
            trainer.step(1)
        ctx.report(loss=loss.asscalar())
        ctx.checkpoint(epoch + 1)
"""
)
MISTAKES = [
    ("def build(params)\n", {}, "BuildError", ["the build file, line 1: "]),
    (HEAD + "    return 3\n", {}, "BuildError", ["expected a Gluon block; got builtins.int"]),
    (HEAD, {}, "BuildError", ["returned the wrong thing", "got nothing", "return the model"]),
    (HEAD + "    return nn.Nosuch()\n", {}, "BuildError", ["the build file, line 6 failed; got AttributeError"]),
    (DENSE.format(7), {}, "BuildError", ["the wrong output; expected shape (images, classes) = (4, 10); got (4, 7)"]),
    (DENSE.format("10, in_units=81"), {}, "BuildError", ["the model on images of shape (None, 1, 8, 8)"]),
    (LOGITS, {"optimizer": "adagrad"}, "SpecError", ["unknown optimizer; expected adam | sgd; got 'adagrad'"]),
    (
        LOGITS,
        {"learning_rate": 1e38, "optimizer": "sgd"},
        "SpecError",
        ["the loss is not finite", "lower learning_rate"],
    ),
]


def test_two_workers_of_two_devices_train_as_one_does(work, training):
    one = alone(work, work.train(training, PLAIN, epochs=2))  # noqa: F405
    first, second = work.run_workers(two(work.train(training, PLAIN, epochs=2, devices=2)), "two-of-two")  # noqa: F405
    assert (first.error, second.error) == (None, None)
    assert first.metrics["epochs"] == [pytest.approx(epoch, abs=TOLERANCE) for epoch in one.metrics["epochs"]]  # noqa: F405


SCALED = """
import sys
from pathlib import Path
import numpy as np
from airflow_mlplat.runtime.frameworks.loss_scale import LossScale
from airflow_mlplat.runtime.frameworks.mxnet import MXNetTrainer
from airflow_mlplat.stages import BuildFile, TrainOptions
path = Path(sys.argv[1])
random = np.random.RandomState(0)
images, labels = random.randint(0, 256, (5, 8, 8, 8, 1)).astype(np.uint8), random.randint(0, 10, (5, 8))
made = []
for scale in (None, 2.0**15, 2.0**200):
    trainer = MXNetTrainer(BuildFile(path), TrainOptions(shape=(8, 8, 1)), 10)
    if scale is not None:
        trainer._scale = LossScale()  # which options ask for on GPUs alone
        trainer._scale.value = scale
    before = trainer.weights()
    for batch in zip(images, labels):
        trainer.step(*batch, 0.01)
    made.append(trainer.weights())
    state = trainer.state()
assert all((made[0][name] == made[1][name]).all() for name in before), "a power of two scales without rounding"
assert all((made[2][name] == before[name]).all() for name in before), "steps that overflow are left out"
assert state["scale"].tolist() == [2.0**195, 0] and state["count"] == 0
trainer.load({**state, "scale": np.array([4.0, 7.0])})
assert trainer.state()["scale"].tolist() == [4.0, 7.0]
print("as expected")
"""


def test_a_loss_scale_changes_nothing_but_what_overflows(python, tmp_path):
    path = tmp_path / "build.py"
    path.write_text(PLAIN)
    assert subprocess.check_output([python, "-c", SCALED, str(path)], env=ENV, text=True) == "as expected\n"
