"""MXNet's trainer: Gluon blocks, with MXNet's optimisers on slots that we keep ourselves."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.runtime.frameworks.mxnet_group import MXNetGroup
from airflow_mlplat.runtime.frameworks.seeds import mixed_seed
from airflow_mlplat.stages.build_file import BuildFile, probe_images
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.trainer import Arrays, Measured
from airflow_mlplat.stages.workers import ONE_WORKER, Workers

FRAMEWORK = "mxnet"
LEAST_PROBABILITY = 1e-7
"""Of a model that ends in a softmax of its own: its logarithm stays finite. The same number as Keras'."""


class MXNetTrainer:
    """A `stages.trainer.Trainer` of a Gluon block.

    Args:
        build_file: Builds the block.
        options: Seed, threads, optimiser and the rest.
        classes: How many.
        workers: Who trains together.
    """

    def __init__(
        self, build_file: BuildFile, options: TrainOptions, classes: int, workers: Workers = ONE_WORKER
    ) -> None:
        mx = self._mx = import_framework(options)
        self.group = MXNetGroup(mx, workers)
        self.versions = {"mxnet": mx.__version__}
        self._options, self._build_file, self._count = options, build_file, 0
        _seed(mx, options.seed, 0)
        self.model = build_file.build(options.build_params(classes, FRAMEWORK))
        build_file.check_model(self.model, mx.gluon.Block, "a Gluon block")
        with build_file.blamed(f"the model on images of shape {_nchw(options.shape)}"):
            _initialize(mx, self.model)
            self.model.hybridize(static_alloc=True)
            outputs = self.model(self._as_input(probe_images(options.shape)))
            outputs = outputs.asnumpy() if isinstance(outputs, mx.nd.NDArray) else outputs
        self._probabilities = build_file.check_outputs(outputs, classes)
        self._named: dict[str, Any] = dict(self.model._collect_params_with_prefix())
        self._trained = [p for p in self._named.values() if p.grad_req != "null"]
        if workers.count > 1:  # a build may draw from what is not seeded
            self._replace(list(self._named.values()), self.group.first)
        self._optimizer = OPTIMIZERS[options.optimizer](mx, options)
        self._optimizer.rescale_grad = 1 / workers.count
        self._slots = [_as_tuple(self._optimizer.create_state(i, p.data())) for i, p in enumerate(self._trained)]
        self._sums = mx.nd.zeros((2,))
        self._running: Any = None
        _seed(mx, options.seed, 1, workers.rank)

    def _as_input(self, images: np.ndarray) -> Any:
        """float32 (n, C, H, W) in [0, 1] of uint8 (n, H, W, C)."""
        array = self._mx.nd.array(images, dtype=np.uint8)
        return self._mx.nd.transpose(array, (0, 3, 1, 2)).astype(np.float32) / 255.0

    def step(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step of the optimiser; returns while it computes, and waits for the one before."""
        mx = self._mx
        inputs, wanted = self._as_input(images), mx.nd.array(targets, dtype=np.float32)
        labels = wanted if targets.ndim == 1 else mx.nd.argmax(wanted, axis=1)
        with mx.autograd.record():
            outputs = self.model(inputs)
            told = self._log_probabilities(outputs)
            losses = -(mx.nd.pick(told, wanted) if targets.ndim == 1 else (told * wanted).sum(axis=1))
            loss = losses.mean()
        loss.backward()
        self._update(learning_rate)
        if self._running is not None:
            self._running.wait_to_read()  # else thousands of steps would queue up, with their batches
        right = mx.nd.argmax(outputs, axis=1) == labels
        self._sums = self._running = self._sums + mx.nd.stack(losses.sum(), right.sum()).reshape((2,))

    def _log_probabilities(self, outputs: Any) -> Any:
        if self._probabilities:
            return self._mx.nd.log(self._mx.nd.clip(outputs, LEAST_PROBABILITY, 1.0))
        return self._mx.nd.log_softmax(outputs)

    def _update(self, learning_rate: float) -> None:
        self._count += 1
        self._optimizer.set_learning_rate(learning_rate)
        gradients = self._gradients()
        for i, parameter in enumerate(self._trained):
            slots = self._slots[i]
            state = None if not slots else slots if len(slots) > 1 else slots[0]
            self._optimizer.update(i, parameter.data(), gradients[i], state)

    def _gradients(self) -> list[Any]:
        """Of what is trained: sums over all workers."""
        own = [parameter.grad() for parameter in self._trained]
        return own if self.group.workers.count == 1 else _parts(self.group.summed(_flat(self._mx, own)), own)

    def _replace(self, parameters: list[Any], by: Callable[[Any], Any]) -> None:
        """Give parameters other values: `by` makes them of the present ones, float32 (n,), all in one array."""
        own = [parameter.data() for parameter in parameters]
        if own:
            for parameter, values in zip(parameters, _parts(by(_flat(self._mx, own)), own)):
                parameter.set_data(values.astype(parameter.dtype))

    def measure(self, step: int) -> Measured:
        """Sums since the last call; dropout goes on from a seed of its own for each `step`."""
        loss, correct = self._sums.asnumpy().tolist()
        self._sums = self._mx.nd.zeros((2,))
        # 0 and 1 are of building and of the first stretch.
        _seed(self._mx, self._options.seed, step + 2, self.group.workers.rank)
        return Measured(loss, correct)

    def average(self) -> None:
        """Of what has no gradient: batch normalisation's means and variances."""
        count = self.group.workers.count
        if count > 1:
            untrained = [parameter for parameter in self._named.values() if parameter.grad_req == "null"]
            self._replace(untrained, lambda values: self.group.summed(values) / count)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities."""
        outputs = self.model(self._as_input(images))
        return (outputs if self._probabilities else self._mx.nd.softmax(outputs)).asnumpy()

    def state(self) -> Arrays:
        """Weights, the optimiser's slots and its count of steps."""
        found = {f"weight/{name}": array for name, array in self.weights().items()}
        for i, slots in enumerate(self._slots):
            found.update({f"slot/{i:04d}/{j}": slot.asnumpy() for j, slot in enumerate(slots)})
        return {**found, "count": np.array(self._count)}

    def load(self, state: Arrays) -> None:
        """Go on from a `state`."""
        self.load_weights({k[len("weight/") :]: v for k, v in state.items() if k.startswith("weight/")})
        for i, slots in enumerate(self._slots):
            for j, slot in enumerate(slots):
                slot[:] = state[f"slot/{i:04d}/{j}"]
        self._count = int(state["count"])
        # Adam's correction of its means' bias depends on the count; MXNet takes it up where a parameter is first seen.
        self._optimizer.begin_num_update = self._optimizer.num_update = self._count

    def weights(self) -> Arrays:
        """The block's parameters, by their place in it."""
        return {name: parameter.data().asnumpy() for name, parameter in self._named.items()}

    def load_weights(self, weights: Arrays) -> None:
        """Take weights of the same build file."""
        expected = {name: array.shape for name, array in weights.items()}
        got = {name: tuple(parameter.shape) for name, parameter in self._named.items()}
        self._build_file.check_weights(expected, got)
        for name, parameter in self._named.items():
            parameter.set_data(self._mx.nd.array(weights[name], dtype=weights[name].dtype))

    def native(self, directory: Path) -> list[Path]:
        """`model-symbol.json` and `model-0000.params`; `model.params` alone for a block that is not hybrid."""
        if isinstance(self.model, self._mx.gluon.HybridBlock):
            self.model.export(str(directory / "model"), epoch=0)
        else:
            self.model.save_parameters(str(directory / "model.params"))
        return sorted(directory.iterdir())


def import_framework(options: TrainOptions) -> Any:
    """The module `mxnet`, with the options' threads."""
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    os.environ["MXNET_CPU_WORKER_NTHREADS"] = "1"  # operators in one fixed order; OpenMP's threads are within them
    import mxnet as mx

    return mx


def _seed(mx: Any, seed: int, stretch: int, rank: int = 0) -> None:
    """Seed all generators with what follows from these numbers alone."""
    mixed = mixed_seed(seed, stretch, rank)
    mx.random.seed(mixed)
    np.random.seed(mixed)  # initialisers draw from it
    random.seed(mixed)


def _adam(mx: Any, options: TrainOptions) -> Any:
    return mx.optimizer.Adam(learning_rate=options.learning_rate)


def _sgd(mx: Any, options: TrainOptions) -> Any:
    return mx.optimizer.SGD(learning_rate=options.learning_rate, momentum=options.momentum)


OPTIMIZERS = {"adam": _adam, "sgd": _sgd}


def _initialize(mx: Any, model: Any) -> None:
    """Give the parameters that `build` did not initialise their first values (Glorot and Bengio 2010)."""
    for parameter in model.collect_params().values():
        if parameter._data is None and not parameter._deferred_init:
            parameter.initialize(default_init=mx.init.Xavier(), ctx=mx.cpu())


def _nchw(shape: tuple[int, int, int]) -> tuple[None, int, int, int]:
    height, width, channels = shape
    return (None, channels, height, width)


def _flat(mx: Any, arrays: list[Any]) -> Any:
    """All numbers of arrays: float32 (n,)."""
    return mx.nd.concat(*[array.astype(np.float32).reshape((-1,)) for array in arrays], dim=0)


def _parts(flat: Any, like: list[Any]) -> list[Any]:
    """The inverse of `_flat`, without copies."""
    ends = np.cumsum([array.size for array in like]).tolist()
    return [flat[end - array.size : end].reshape(array.shape) for end, array in zip(ends, like)]


def _as_tuple(slots: Any) -> tuple[Any, ...]:
    if slots is None:
        return ()
    return tuple(slots) if isinstance(slots, (list, tuple)) else (slots,)
