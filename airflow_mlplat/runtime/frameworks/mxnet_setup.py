"""What MXNet's trainer sets up before it trains: the framework itself, its devices, and parameters on them."""

from __future__ import annotations

import os
from typing import Any

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.runtime.frameworks.devices import warn_without_gpu
from airflow_mlplat.stages.options import TrainOptions

PLACES = {"bfloat16": "CPU", "float16": "GPU"}
"""Where MXNet 1.9.1 has a precision: a CPU says "FP16 gemm on cpu not implemented!"."""


def import_framework(options: TrainOptions) -> Any:
    """The module `mxnet`, with the options' threads, and for the whole process with their precision.

    Raises:
        ConfigError: It has no such precision on what there is here.
    """
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["MXNET_CPU_WORKER_NTHREADS"] = "1"  # operators in one fixed order; OpenMP's threads are within them
    os.environ["MXNET_ENFORCE_DETERMINISM"] = "1"  # of cuDNN, which else takes what is fastest at the moment
    import mxnet as mx

    if options.precision != "float32":
        place = "GPU" if mx.context.num_gpus() else "CPU"
        if PLACES[options.precision] != place:
            raise ConfigError(
                f"MXNet computes in {options.precision} on {PLACES[options.precision]}s alone",
                expected=" | ".join(("float32", *(p for p, where in PLACES.items() if where == place))),
                got=f"precision {options.precision} on a {place}",
            )
        from mxnet.contrib import amp

        amp.init(options.precision)
    return mx


def contexts(mx: Any, options: TrainOptions) -> list[Any]:
    """The devices to train on: GPUs, if there are any. The first is this thread's default from now on.

    Raises:
        ConfigError: There are fewer GPUs.
    """
    gpus = mx.context.num_gpus()
    if not gpus:
        warn_without_gpu(options.devices)
    elif gpus < options.devices:
        raise ConfigError("there are not so many GPUs", expected=f"devices {gpus} or fewer", got=options.devices)
    found = [(mx.gpu if gpus else mx.cpu)(number) for number in range(options.devices)]
    found[0].__enter__()  # for good: arrays that a build file makes, even in its own loop, go where the model is
    return found


def initialize(mx: Any, model: Any, on: list[Any]) -> None:
    """Have parameters on all devices, with first values where `build` gave none (Glorot and Bengio 2010)."""
    for parameter in model.collect_params().values():
        if parameter._data is None and not parameter._deferred_init:
            parameter.initialize(default_init=mx.init.Xavier(), ctx=on)
        elif parameter.list_ctx() != on:
            parameter.reset_ctx(on)
