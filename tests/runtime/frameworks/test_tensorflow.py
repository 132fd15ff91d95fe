"""TensorFlow's trainer, in its own environment."""

from __future__ import annotations

import pytest

from tests.runtime.frameworks.suite import *  # noqa: F403
from tests.runtime.frameworks.together import *  # noqa: F403

pytestmark = pytest.mark.tensorflow
FRAMEWORK = "tensorflow"
NATIVE = {"model.keras"}
HALVES = ["bfloat16", "float16"]

HEAD = """
import keras
from keras import layers
def build(params):
"""
# With all that is hard to go on from: dropout, batch normalisation, random augmentation, weight decay.
BUILD = (
    HEAD
    + """
    return keras.Sequential([
        keras.Input(params["shape"]),
        layers.RandomTranslation(0.05, 0.05),
        layers.Conv2D(16, 3, activation="relu", padding="same", kernel_regularizer="l2"),
        layers.BatchNormalization(momentum=0.9),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(params["classes"]),
    ])
"""
)
# Of which each sample's part in a step is its own: no dropout, no batch normalisation.
PLAIN = (
    HEAD
    + """
    return keras.Sequential([
        keras.Input(params["shape"]),
        layers.Conv2D(16, 3, activation="relu", padding="same", kernel_regularizer="l2"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(params["classes"]),
    ])
"""
)
DENSE = (
    HEAD
    + """
    return keras.Sequential([keras.Input(params["shape"]), layers.Flatten(), layers.Dense({})])
"""
)
LOGITS = DENSE.format('params["classes"]')
SOFTMAX = DENSE.format('params["classes"], activation="softmax"')
OWN_LOOP = (
    LOGITS
    + """
def train(ctx):
    ctx.model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    ctx.model.optimizer.learning_rate = 0.01
    start, _ = ctx.resume()
    for epoch in range(start, ctx.options.epochs):
        for images, labels in ctx.batches(epoch):
            loss, accuracy = ctx.model.train_on_batch(images / 255.0, labels)
        ctx.report(loss=loss, accuracy=accuracy)
        ctx.checkpoint(epoch + 1)
"""
)
MISTAKES = [
    ("def build(params)\n", {}, "BuildError", ["the build file, line 1: "]),
    ("x = 1\n", {}, "BuildError", ["the build file has no function build"]),
    (HEAD + "    return 3\n", {}, "BuildError", ["expected a Keras model; got builtins.int"]),
    (HEAD + "    return\n", {}, "BuildError", ["returned the wrong thing", "got nothing", "return the model"]),
    (HEAD + "    return layers.Nosuch()\n", {}, "BuildError", ["the build file, line 5 failed; got AttributeError"]),
    (DENSE.format(7), {}, "BuildError", ["the wrong output; expected shape (images, classes) = (4, 10); got (4, 7)"]),
    (
        LOGITS.replace('params["shape"]', "(9, 9, 1)"),
        {},
        "BuildError",
        ["the model on images of shape (None, 8, 8, 1)"],
    ),
    (LOGITS, {"optimizer": "adagrad"}, "SpecError", ["unknown optimizer; expected adam | sgd; got 'adagrad'"]),
    (
        LOGITS,
        {"learning_rate": 1e38, "optimizer": "sgd"},
        "SpecError",
        ["the loss is not finite", "lower learning_rate"],
    ),
]
