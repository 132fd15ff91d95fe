"""Build files: what they may do, and a word on each mistake with file and line."""

from __future__ import annotations

import re

import numpy as np
import pytest

from airflow_mlplat.errors import BuildError, SpecError
from airflow_mlplat.stages.build_file import BuildFile, probe_images


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "cnn.py"
        path.write_text(text)
        return BuildFile(path)

    return write


def test_build_gets_params_and_may_change_them(file):
    params = {"classes": 3}
    built = file("def build(params):\n    params['x'] = 1\n    return params['classes']").build(params)
    assert (built, params) == (3, {"classes": 3})


def test_the_file_runs_once(file):
    build_file = file("runs = []\nruns.append(1)\ndef build(params):\n    return runs")
    assert build_file.build({}) is build_file.build({})
    assert build_file.build({}) == [1]


def test_nothing_runs_before_it_is_used(file):
    build_file = file("raise SystemExit")
    with pytest.raises(BuildError, match=r"the code of the build file, line 1 failed; got SystemExit"):
        build_file.build({})


def test_train_is_there_or_not(file):
    assert file("def build(params): pass").train is None
    assert file("def train(ctx): return ctx + 1").train(1) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def build(params)\n    pass", r"file, line 1: (expected ':'|invalid syntax); got 'def build\(params\)'"),
        ("x = 1\nimport nosuch_module", r"code of the build file, line 2 failed; got ModuleNotFoundError: No module "
         r"named 'nosuch_module'\. Look at: import nosuch_module\. 'nosuch_module' is not in the job's environment: "
         r"install it into the framework's under MLPLAT_ENVIRONMENTS, or into an image of your own \(docker/README"),
        ("def build(params):\n    return dict(\n        **{'a': 1}, a=2\n    )", r"Look at: return dict\(…\)\.$"),
        ("def build(params):\n    return [\n        1 / 0,\n    ]", r"Look at: (1 / 0|return \[…\])\.$"),
        ("def train(ctx): pass", r"file has no function build; expected def build\(params\):\. define it there\."),
        ("build = 3", r"build in the build file is no function; got int\."),
        ("def helper():\n    return {}['width']\ndef build(params):\n    return helper()",
         r"build\(params\) of .* file, line 2 failed; got KeyError: 'width'\. Look at: return \{\}\['width'\]\."),
        ("def build():\n    pass", r"build\(params\) of .* file failed; got TypeError: build\(\) takes 0 positional"),
        ("import sys\ndef build(params):\n    sys.exit('no')", r"the build file, line 3 failed; got SystemExit: no\."),
        ("\0", r"null byte"),
        ("def build(params):\n    try: 1 / 0\n    except Exception as e: raise e from e", r"got ZeroDivisionError"),
        ("import urllib.request\ndef build(params):\n    urllib.request.urlopen('http://nothing.invalid')",
         r"line 3 failed; got URLError: .*\. Look at: .*\. A job in a container has no network, unless limits"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(file, text, told):
    with pytest.raises(BuildError, match=told):
        file(text).build({})


def test_our_own_errors_pass(file):
    with pytest.raises(SpecError, match="mine"), file("").blamed("x"):
        raise SpecError("mine")


def test_a_wrong_type_is_told(file):
    with pytest.raises(
        BuildError,
        match=re.escape("the build file returned the wrong thing; expected a Keras model; got nothing. return"),
    ):
        file("").check_model(None, dict, "a Keras model")
    with pytest.raises(BuildError, match=re.escape("expected a Gluon block; got builtins.list.")):
        file("").check_model([], dict, "a Gluon block")


@pytest.mark.parametrize("outputs", [np.zeros((4, 5)), np.zeros((4, 2, 2)), np.zeros(4), [1, 2]])
def test_a_wrong_output_is_told(file, outputs):
    with pytest.raises(
        BuildError,
        match=r"the model of the build file has the wrong output; expected shape \(images, classes\) = \(4, 3\); got ",
    ):
        file("").check_outputs(outputs, 3)


@pytest.mark.parametrize(
    ("row", "probabilities"),
    [([0.2, 0.3, 0.5], True), ([1, 0, 0], True), ([0.2, 0.3, 0.6], False), ([-0.5, 0.5, 1], False), ([0, 0, 0], False)],
)
def test_probabilities_are_told_from_logits(file, row, probabilities):
    assert file("").check_outputs(np.array([row] * 4, np.float32), 3) is probabilities


@pytest.mark.parametrize(("precision", "probabilities"), [("float32", False), ("float16", False), ("bfloat16", True)])
def test_probabilities_are_told_as_well_as_a_precision_allows(file, precision, probabilities):
    outputs = np.array([[0.2, 0.3, 0.51]] * 4, np.float32)
    assert file("").check_outputs(outputs, 3, precision) is probabilities


def test_weights_of_another_model_are_told(file):
    file("").check_weights([(3, 3)], [(3, 3)])
    told = "builds another model than the weights are of; expected [(3, 3)]; got [(3, 4)]. build(params) must build the"
    with pytest.raises(BuildError, match=re.escape(told)):
        file("").check_weights([(3, 3)], [(3, 4)])


def test_probe_images_are_the_same_each_time():
    images = probe_images((8, 8, 3))
    assert (images.shape, images.dtype) == ((4, 8, 8, 3), np.uint8)
    assert images.max() > 250
    np.testing.assert_array_equal(images, probe_images((8, 8, 3)))
