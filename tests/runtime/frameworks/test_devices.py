"""What a job says of devices that are none."""

from __future__ import annotations

import logging
import types

import pytest

from airflow_mlplat.runtime.frameworks import mxnet_setup, tensorflow_group
from airflow_mlplat.stages.options import TrainOptions


def tensorflow(gpus, devices):
    """TensorFlow's set-up on a machine with so many GPUs."""
    config = types.SimpleNamespace(
        list_physical_devices=lambda kind: list(range(gpus)) if kind == "GPU" else ["cpu"],
        LogicalDeviceConfiguration=object,
        set_logical_device_configuration=lambda device, parts: None,
        set_visible_devices=lambda devices, kind: None,
    )
    return tensorflow_group._set_up(types.SimpleNamespace(config=config), devices)


def mxnet(gpus, devices):
    """MXNet's."""
    device = lambda number: types.SimpleNamespace(__enter__=lambda: None)  # noqa: E731
    fake = types.SimpleNamespace(context=types.SimpleNamespace(num_gpus=lambda: gpus), gpu=device, cpu=device)
    return mxnet_setup.contexts(fake, TrainOptions(shape=(8, 8, 1), devices=devices))


@pytest.mark.parametrize("set_up", [tensorflow, mxnet])
def test_parts_of_the_cpu_are_told_of_once(set_up, caplog):
    with caplog.at_level(logging.INFO):
        set_up(gpus=2, devices=2)
        set_up(gpus=0, devices=1)
    assert caplog.text == ""
    set_up(gpus=0, devices=2)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "devices is 2, and no GPU is seen: training on so many parts of the CPU" in record.message
    assert "limits gpu 'required'" in record.message
