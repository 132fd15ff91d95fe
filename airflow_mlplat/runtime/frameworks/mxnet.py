"""MXNet's trainer: Gluon blocks, with MXNet's optimisers on slots that we keep ourselves."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.runtime.frameworks.loss_scale import LossScale
from airflow_mlplat.runtime.frameworks.mxnet_group import MXNetGroup
from airflow_mlplat.runtime.frameworks.mxnet_setup import contexts, import_framework, initialize
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
        self._contexts = contexts(mx, options)
        self._scale = LossScale() if options.precision == "float16" else None
        self.group = MXNetGroup(mx, workers)
        self._share = workers.count * len(self._contexts)
        self.versions = {"mxnet": mx.__version__}
        self._options, self._build_file, self._count = options, build_file, 0
        _seed(mx, options.seed, 0)
        self.model = build_file.build(options.build_params(classes, FRAMEWORK))
        build_file.check_model(self.model, mx.gluon.Block, "a Gluon block")
        with build_file.blamed(f"the model on images of shape {_nchw(options.shape)}"):
            initialize(mx, self.model, self._contexts)
            self.model.hybridize(static_alloc=True)
            outputs = self._full(self.model(self._as_input(probe_images(options.shape), self._contexts[0])))
            outputs = outputs.asnumpy() if isinstance(outputs, mx.nd.NDArray) else outputs
        self._probabilities = build_file.check_outputs(outputs, classes, options.precision)
        self._named: dict[str, Any] = dict(self.model._collect_params_with_prefix())
        self._trained = [p for p in self._named.values() if p.grad_req != "null"]
        self._untrained = [p for p in self._named.values() if p.grad_req == "null"]
        if workers.count > 1:  # a build may draw from what is not seeded
            own = [self._data(parameter) for parameter in self._named.values()]
            _set(self._named.values(), _parts(self.group.first(_flat(mx, own)), own))
        self._optimizer = OPTIMIZERS[options.optimizer](mx, options)
        self._slots = [_as_tuple(self._optimizer.create_state(i, self._data(p))) for i, p in enumerate(self._trained)]
        self._sums = self._zeros()
        self._running: list[Any] = []
        _seed(mx, options.seed, 1, workers.rank)

    def _data(self, parameter: Any) -> Any:
        """A parameter's values, on the first device: the others have copies."""
        return parameter.data(self._contexts[0])

    def _zeros(self) -> list[Any]:
        return [self._mx.nd.zeros((2,), ctx=context) for context in self._contexts]

    def _as_input(self, images: np.ndarray, context: Any) -> Any:
        """float32 (n, C, H, W) in [0, 1] of uint8 (n, H, W, C). By numpy: on a CPU MXNet takes four times as long."""
        if context.device_type == "cpu":
            pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32)
            return self._mx.nd.array(pixels / np.float32(255), ctx=context)
        array = self._mx.nd.array(images, ctx=context, dtype=np.uint8)
        return self._mx.nd.transpose(array, (0, 3, 1, 2)).astype(np.float32) / 255.0

    def _full(self, outputs: Any) -> Any:
        """Outputs in float32."""
        half = self._options.precision != "float32" and isinstance(outputs, self._mx.nd.NDArray)
        return self._mx.nd.amp_cast(outputs, dtype="float32") if half else outputs

    def step(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step of the optimiser; returns while it computes, and waits for the one before."""
        mx, devices = self._mx, len(self._contexts)
        with mx.autograd.record():
            found = [
                self._forward(images[i::devices], targets[i::devices], context)
                for i, context in enumerate(self._contexts)
            ]
            means = [losses.mean() for losses, _, _ in found]
            if self._scale is not None:
                means = [mean * self._scale.value for mean in means]
        mx.autograd.backward(means)
        self._update(learning_rate)
        for sums in self._running:
            sums.wait_to_read()  # else thousands of steps would queue up, with their batches
        for i, (losses, outputs, labels) in enumerate(found):
            right = mx.nd.argmax(outputs, axis=1) == labels
            self._sums[i] = self._sums[i] + mx.nd.stack(losses.sum(), right.sum()).reshape((2,))
        self._running = list(self._sums)

    def _forward(self, images: np.ndarray, targets: np.ndarray, context: Any) -> tuple[Any, Any, Any]:
        """On one device: losses float32 (n,), outputs float32 (n, K) and labels float32 (n,)."""
        mx = self._mx
        inputs, wanted = self._as_input(images, context), mx.nd.array(targets, ctx=context, dtype=np.float32)
        labels = wanted if targets.ndim == 1 else mx.nd.argmax(wanted, axis=1)
        with context:
            outputs = self._full(self.model(inputs))
        told = self._log_probabilities(outputs)
        return -(mx.nd.pick(told, wanted) if targets.ndim == 1 else (told * wanted).sum(axis=1)), outputs, labels

    def _log_probabilities(self, outputs: Any) -> Any:
        if self._probabilities:
            return self._mx.nd.log(self._mx.nd.clip(outputs, LEAST_PROBABILITY, 1.0))
        return self._mx.nd.log_softmax(outputs)

    def _update(self, learning_rate: float) -> None:
        scale, gradients = 1.0 if self._scale is None else self._scale.value, self._gradients()
        if gradients is None:
            return
        self._count += 1
        self._optimizer.set_learning_rate(learning_rate)
        self._optimizer.rescale_grad = 1 / (self._share * scale)
        for i, parameter in enumerate(self._trained):
            slots = self._slots[i]
            state = None if not slots else slots if len(slots) > 1 else slots[0]
            first, *others = parameter.list_data()
            self._optimizer.update(i, first, gradients[i], state)
            for other in others:
                first.copyto(other)

    def _gradients(self) -> list[Any] | None:
        """Of what is trained, on the first device: sums over all devices and workers; None if the step is none."""
        own = [[parameter.grad(context) for parameter in self._trained] for context in self._contexts]
        if self._share == 1 and self._scale is None:
            return own[0]
        total = self._total(own)
        if self._scale is not None:
            finite = bool(self._mx.nd.all_finite(total).asscalar())
            self._scale.update(finite)
            if not finite:
                return None
        return _parts(total, own[0])

    def _total(self, arrays: list[list[Any]]) -> Any:
        """Sums over devices and workers, of arrays that each device has: float32 (n,), all numbers of them."""
        total, *others = [_flat(self._mx, own) for own in arrays]
        for other in others:
            total = total + other.as_in_context(self._contexts[0])
        return self.group.summed(total) if self.group.workers.count > 1 else total

    def measure(self, step: int) -> Measured:
        """Sums since the last call; dropout goes on from a seed of its own for each `step`."""
        loss, correct = np.sum([sums.asnumpy().astype(np.float64) for sums in self._sums], axis=0).tolist()
        self._sums = self._zeros()
        # 0 and 1 are of building and of the first stretch.
        _seed(self._mx, self._options.seed, step + 2, self.group.workers.rank)
        return Measured(loss, correct)

    def average(self) -> None:
        """Of what has no gradient: batch normalisation's means and variances."""
        if self._share > 1 and self._untrained:
            own = [[parameter.data(context) for parameter in self._untrained] for context in self._contexts]
            _set(self._untrained, _parts(self._total(own) / self._share, own[0]))

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities."""
        outputs = self._full(self.model(self._as_input(images, self._contexts[0])))
        return (outputs if self._probabilities else self._mx.nd.softmax(outputs)).asnumpy()

    def state(self) -> Arrays:
        """Weights, the optimiser's slots and its count of steps."""
        found = {f"weight/{name}": array for name, array in self.weights().items()}
        for i, slots in enumerate(self._slots):
            found.update({f"slot/{i:04d}/{j}": slot.asnumpy() for j, slot in enumerate(slots)})
        scale = {} if self._scale is None else {"scale": self._scale.state()}
        return {**found, "count": np.array(self._count), **scale}

    def load(self, state: Arrays) -> None:
        """Go on from a `state`."""
        self.load_weights({k[len("weight/") :]: v for k, v in state.items() if k.startswith("weight/")})
        for i, slots in enumerate(self._slots):
            for j, slot in enumerate(slots):
                slot[:] = state[f"slot/{i:04d}/{j}"]
        self._count = int(state["count"])
        if self._scale is not None:
            self._scale.load(state["scale"])
        # Adam's correction of its means' bias depends on the count; MXNet takes it up where a parameter is first seen.
        self._optimizer.begin_num_update = self._optimizer.num_update = self._count

    def weights(self) -> Arrays:
        """The block's parameters, by their place in it."""
        return {name: self._data(parameter).asnumpy() for name, parameter in self._named.items()}

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


def _set(parameters: Iterable[Any], arrays: list[Any]) -> None:
    """Give parameters other values, on all devices."""
    for parameter, array in zip(parameters, arrays):
        parameter.set_data(array.astype(parameter.dtype))


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
