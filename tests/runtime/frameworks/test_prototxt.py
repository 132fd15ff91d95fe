"""Nets and solvers of build files, with Caffe's own messages."""

from __future__ import annotations

import json
import subprocess

import pytest

from .conftest import ENV

pytestmark = pytest.mark.caffe
FRAMEWORK = "caffe"

CODE = """
import json, sys
from caffe.proto import caffe_pb2
from airflow_mlplat.errors import BuildError
from airflow_mlplat.runtime.frameworks import prototxt

def told(text, solver):
    try:
        if solver:
            prototxt.check_solver(prototxt.read(text, caffe_pb2.SolverParameter, "solver"))
            return None
        net = prototxt.deployed(prototxt.read(text, caffe_pb2.NetParameter, "net"), (8, 9, 3))
        output = prototxt.output_of(net)
        weights = [list(layer.loss_weight) for layer in prototxt.trained(net, output).layer]
        shape = list(net.layer[0].input_param.shape[0].dim)
        return {"layers": [layer.name for layer in net.layer], "shape": shape, "output": output, "weights": weights}
    except BuildError as error:
        return str(error)

print(json.dumps([told(*case) for case in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def told(python):
    """A function: what is made of texts of nets, or of solvers."""

    def ask(*texts: str, solver: bool = False):
        given = json.dumps([(text, solver) for text in texts])
        done = subprocess.run([python, "-c", CODE, given], env=ENV, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return ask


def layer(name: str, kind: str, bottom: str = "", top: str = "", more: str = "") -> str:
    blobs = "".join(f' bottom: "{blob}"' for blob in bottom.split()) + "".join(f' top: "{b}"' for b in top.split())
    return f'layer {{ name: "{name}" type: "{kind}"{blobs} {more} }}\n'


SCORE = layer("score", "InnerProduct", "data", "score")


def test_sources_labels_and_what_uses_them_are_left_out(told):
    train_val = (
        layer("train", "Data", "", "data label", "include { phase: TRAIN }")
        + layer("test", "ImageData", "", "data label", "include { phase: TEST }")
        + SCORE
        + layer("relu", "ReLU", "score", "score")
        + layer("accuracy", "Accuracy", "score label", "accuracy")
        + layer("loss", "SoftmaxWithLoss", "score label", "loss")
        + layer("half", "Power", "loss", "half")
    )
    deploy = 'input: "data" input_shape { dim: 1 dim: 3 dim: 5 dim: 5 }\n' + SCORE
    found = told(train_val, deploy)
    assert found[0] == {
        "layers": ["data", "score", "relu"], "shape": [1, 3, 8, 9], "output": "score", "weights": [[], [], [1.0]],
    }  # fmt: skip
    assert found[1]["layers"] == ["data", "score"]


def test_nets_that_cannot_be_trained(told):
    source = layer("d", "Data", "", "data label")
    cases = {
        layer("d", "Data", "", "data", "transform_param { mirror: true }")
        + SCORE: "layer 'd' of the net changes images",
        SCORE: "the net has not one blob of images; expected a layer of type Input | Data | ",
        source + layer("e", "Input", "", "other") + SCORE: "the net has not one blob of images",
        source + SCORE + layer("more", "InnerProduct", "data", "more"): "the net has not one output",
        'layers { name: "a" }': "the net is in Caffe's format of before 2014",
        "layer { nosuch: 1 }": "the net of the build file is no NetParameter; got 1:9",
    }
    for text, found in zip(cases, told(*cases)):
        assert cases[text] in found


def test_a_solver_says_what_is_its_own(told):
    own, beyond = told('type: "SGD" momentum: 0.9 weight_decay: 1e-4', "base_lr: 0.1 max_iter: 3", solver=True)
    assert own is None
    assert "the solver of the build file sets what is not its own" in beyond and "got base_lr, max_iter." in beyond
