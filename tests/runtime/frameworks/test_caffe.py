"""Caffe's trainer, in its own environment."""

from __future__ import annotations

import dataclasses

import pytest

from tests.runtime.frameworks.suite import *  # noqa: F403

pytestmark = pytest.mark.caffe
FRAMEWORK = "caffe"
NATIVE = {"model.prototxt", "model.caffemodel"}

DATA = 'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {} }} }} }}\n'
DENSE = (
    'layer {{ name: "score" type: "InnerProduct" bottom: "{}" top: "score"'
    ' inner_product_param {{ num_output: {} weight_filler {{ type: "xavier" }} }} }}\n'
)


def returning(*layers: str, solver: str | None = None) -> str:
    """A build file of these layers."""
    given = repr("".join(layers))
    return f"def build(params):\n    return {given if solver is None else f'{given}, {solver!r}'}\n"


IMAGES = DATA.format("dim: 1 dim: 1 dim: 8 dim: 8")
LOGITS = returning(IMAGES, DENSE.format("data", 10))
SOFTMAX = returning(
    IMAGES, DENSE.format("data", 10), 'layer { name: "softmax" type: "Softmax" bottom: "score" top: "softmax" }\n'
)
# With all that is hard to go on from: dropout, batch normalisation, first values of the user's own.
BUILD = returning(
    IMAGES,
    'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 32'
    ' kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }\n',
    'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }\n',
    'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param'
    " { moving_average_fraction: 0.9 } }\n",
    'layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }\n',
    'layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param'
    " { pool: MAX kernel_size: 2 stride: 2 } }\n",
    'layer { name: "drop" type: "Dropout" bottom: "pool" top: "drop" dropout_param { dropout_ratio: 0.2 } }\n',
    DENSE.format("drop", 10),
)
OWN_LOOP = (
    LOGITS
    + """
def train(ctx):
    import numpy as np
    net = ctx.model
    start, _ = ctx.resume()
    for epoch in range(start, ctx.options.epochs):
        for images, labels in ctx.batches(epoch):
            net.blobs["data"].reshape(len(images), 1, 8, 8)
            net.blobs["data"].data[...] = images.transpose(0, 3, 1, 2) / 255.0
            score = net.forward()["score"]
            shares = np.exp(score - score.max(1, keepdims=True))
            shares /= shares.sum(1, keepdims=True)
            loss = -np.log(shares[range(len(labels)), labels]).mean()
            shares[range(len(labels)), labels] -= 1
            net.clear_param_diffs()
            net.backward(score=shares / len(labels))
            for blobs in net.params.values():
                for blob in blobs:
                    blob.data[...] -= 0.5 * blob.diff
        ctx.report(loss=loss)
        ctx.checkpoint(epoch + 1)
"""
)
MISTAKES = [
    ("def build(params)\n", {}, "BuildError", ["the build file, line 1: "]),
    ("def build(params):\n    return 3\n", {}, "BuildError", ["returned no net", "got builtins.int"]),
    ("def build(params):\n    pass\n", {}, "BuildError", ["returned no net", "got nothing", "return the net, or"]),
    (returning("layer {"), {}, "BuildError", ["the net of the build file is no NetParameter; got 1:7"]),
    (returning(IMAGES, DENSE.format("data", 7)), {}, "BuildError", ["expected shape (images, classes) = (4, 10)"]),
    (returning(IMAGES, DENSE.format("nosuch", 10)), {}, "BuildError", ["has not one output", "got data, score"]),
    (
        returning(IMAGES, 'layer { name: "a" type: "Nosuch" bottom: "data" top: "a" }'),
        {},
        "BuildError",
        ["the net on images of shape (None, 1, 8, 8) ended Caffe; got Check failed:", "Unknown layer type: Nosuch"],
    ),
    (returning(IMAGES), {}, "BuildError", ["the model of the build file has the wrong output", "(4, 1, 8, 8)"]),
    (LOGITS, {"optimizer": "adagrad"}, "SpecError", ["unknown optimizer; expected adam | sgd; got 'adagrad'"]),
    (
        returning(IMAGES, DENSE.format("data", 10), solver='type: "SGD" base_lr: 1 max_iter: 9'),
        {},
        "BuildError",
        ["the solver of the build file sets what is not its own", "got base_lr, max_iter"],
    ),
    (
        LOGITS,
        {"learning_rate": 1e38, "optimizer": "sgd"},
        "SpecError",
        ["the loss is not finite", "lower learning_rate"],
    ),
]

TRAIN_VAL = returning(
    'name: "LeNet"\n',
    'layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param'
    ' { source: "train_lmdb" batch_size: 64 backend: LMDB } }\n',
    'layer { name: "mnist" type: "Data" top: "data" top: "label" include { phase: TEST } data_param'
    ' { source: "test_lmdb" batch_size: 100 backend: LMDB } }\n',
    DENSE.format("data", 10),
    'layer { name: "accuracy" type: "Accuracy" bottom: "score" bottom: "label" top: "accuracy"'
    " include { phase: TEST } }\n",
    'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }\n',
    solver='type: "Nesterov" momentum: 0.9 weight_decay: 0.0005',
)


def test_a_net_with_its_data_and_loss_is_taken_as_it_is(work, training):
    plain = work.train(training, LOGITS, epochs=3, optimizer="sgd", learning_rate=0.05)
    own = work.train(training, TRAIN_VAL, epochs=3, optimizer="sgd", learning_rate=0.05)
    results = work.run(plain, own)
    assert [result.error for result in results] == [None, None]
    assert results[1].metrics["accuracy"] > 0.85
    assert results[0].outputs != results[1].outputs  # its solver counts


def test_it_has_one_worker_one_device_and_float32(work, training):
    specs = [
        work.train(training, LOGITS, epochs=1, **how) for how in ({"devices": 2}, {"precision": "float16"})
    ]  # fmt: skip
    told = [result.error.message for result in work.run(*specs)]
    assert told == [
        "devices is for tensorflow and mxnet; expected 1 with caffe; got 2.",
        "precision is for tensorflow and mxnet; expected float32 with caffe; got float16.",
    ]
    (first, second) = work.run_workers(dataclasses.replace(specs[0], workers=2), "two")
    for result in (first, second):
        assert result.error.message == "workers is for tensorflow and mxnet; expected 1 with caffe; got 2."
