"""Nets that are fed by the iterator. Used by `digests.py`, in Caffe's environment."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import caffe
import numpy as np
from digests import iterator_of

from airflow_mlplat.data.adapters.caffe import feed, offered

INPUT = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: {n} dim: {c} dim: {h} dim: {w} }} }} }}
layer {{ name: "label" type: "Input" top: "label" input_param {{ shape {{ dim: {n} {rest} }} }} }}
"""
LAYER = """
layer {{ name: "batches" type: "Python" top: "data" top: "label" python_param {{
  module: "airflow_mlplat.data.adapters.caffe" layer: "BatchLayer" param_str: '{param}' }} }}
"""
HEAD = """
layer { name: "scores" type: "InnerProduct" bottom: "data" top: "scores"
        inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "{net}" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 random_seed: 1 solver_mode: CPU type: "SGD"'


def prototxt(text):
    path = Path(tempfile.mkdtemp()) / "net.prototxt"
    path.write_text(text)
    return str(path)


def input_net(options, rest="", head=HEAD):
    h, w, c = options.shape
    return prototxt(INPUT.format(n=options.batch_size, c=c, h=h, w=w, rest=rest) + head)


def pair(net):
    """Copies of what is in the blobs, as the other frameworks have it."""
    images, labels = net.blobs["data"].data, net.blobs["label"].data
    assert images.dtype == labels.dtype == np.float32
    return images.transpose(0, 2, 3, 1).astype(np.uint8), labels.reshape(-1).astype(np.int64)


def by_feed(iterator):
    net = caffe.Net(input_net(iterator.options, "dim: 1 dim: 1 dim: 1"), caffe.TRAIN)

    def one_pass():
        for n in feed(iterator, net):
            net.forward()
            assert net.blobs["scores"].data.shape == (n, 10)
            yield pair(net)

    return one_pass


def by_layer(iterator):
    """The layer goes on from epoch to epoch: told apart by the iterator's state."""
    with offered(iterator, "train"):
        net = caffe.Net(prototxt(LAYER.format(param=json.dumps({"iterator": "train"})) + HEAD), caffe.TRAIN)
    epochs = [[], [], []]
    while True:
        try:
            net.forward()
        except Exception as error:
            assert "the iterator has no more epochs" in str(error), error
            break
        epochs[iterator.get_state()["epoch"]].append(pair(net))
    passes = iter(epochs)
    return lambda: next(passes)


WAYS = {"feed": by_feed, "layer": by_layer}


def trained(samples, told):
    """Losses of a solver for two epochs; scaled pixels; what wrong blobs and names are told."""
    iterator = iterator_of(samples, {}, epochs=12)
    net = input_net(iterator.options, head=HEAD.replace("0.1", "0.01"))
    solver, losses = caffe.get_solver(prototxt(SOLVER.format(net=net))), []
    for _ in range(12):
        for n in feed(iterator, solver, scale=1 / 255):
            solver.step(1)
            losses.append([float(solver.net.blobs["loss"].data), n])
    greatest = float(solver.net.blobs["data"].data.max())
    other = caffe.Net(input_net(iterator_of(samples, {"shape": (4, 4, 3)}).options), caffe.TRAIN)
    fresh = iterator_of(samples, {})

    def twice():
        with offered(fresh, "a"), offered(fresh, "a"):
            pass

    def not_offered():
        with offered(fresh, "a"):
            caffe.Net(prototxt(LAYER.format(param=json.dumps({"iterator": "b"})) + HEAD), caffe.TRAIN)

    return {
        "losses": losses, "end": iterator.get_state(), "greatest": greatest,
        "shape": told(lambda: list(feed(fresh, other))),
        "labels": told(lambda: list(feed(fresh, caffe.Net(input_net(fresh.options, "dim: 2", head=""), caffe.TRAIN)))),
        "blob": told(lambda: list(feed(fresh, other, data="images"))),
        "twice": told(twice),
        "not offered": told(not_offered),
    }  # fmt: skip
