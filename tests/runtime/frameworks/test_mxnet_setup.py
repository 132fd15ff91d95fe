"""What MXNet is set up with, and what there is not."""

from __future__ import annotations

import types

import pytest

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.runtime.frameworks.mxnet_setup import contexts
from airflow_mlplat.stages.options import TrainOptions
from tests.runtime.frameworks.members import members

FRAMEWORK = "mxnet"
ALONE = """
from airflow_mlplat.runtime.frameworks.mxnet_setup import contexts, import_framework, initialize
from airflow_mlplat.stages.options import TrainOptions
"""


class Context(str):
    """Of a kind and a number."""

    def __enter__(self):
        return self


class FakeMXNet:
    """As MXNet, on a machine with GPUs."""

    def __init__(self, gpus):
        self.context = types.SimpleNamespace(num_gpus=lambda: gpus)

    def gpu(self, number):
        return Context(f"gpu {number}")

    def cpu(self, number):
        return Context(f"cpu {number}")


def test_gpus_are_taken_where_there_are_any():
    options = TrainOptions(shape=(8, 8, 1), devices=2)
    assert contexts(FakeMXNet(4), options) == ["gpu 0", "gpu 1"]
    assert contexts(FakeMXNet(0), options) == ["cpu 0", "cpu 1"]
    with pytest.raises(ConfigError, match=r"not so many GPUs; expected devices 1 or fewer; got 2\."):
        contexts(FakeMXNet(1), options)


@pytest.mark.mxnet
def test_float16_is_for_gpus(python):
    code = """
try:
    import_framework(TrainOptions(shape=(8, 8, 1), precision="float16"))
except Exception as error:
    print(type(error).__name__, error)
"""
    told = "ConfigError MXNet computes in float16 on GPUs alone; expected float32 | bfloat16; got precision float16 on"
    assert members(python, ALONE + code, 1)[0].startswith(told)


@pytest.mark.mxnet
def test_parameters_go_to_all_devices(python):
    code = """
options = TrainOptions(shape=(8, 8, 1), devices=2)
mx = import_framework(options)
on = contexts(mx, options)
net = mx.gluon.nn.HybridSequential()
net.add(mx.gluon.nn.Dense(3, in_units=2), mx.gluon.nn.Dense(3))
net[0].initialize()
initialize(mx, net, on)
net(mx.nd.ones((1, 2)))
print({str(p.list_ctx()) for p in net.collect_params().values()})
"""
    assert members(python, ALONE + code, 1) == ["{'[cpu(0), cpu(1)]'}\n"]
