"""Caffe's trainer: a net of layers, trained by Caffe's own solvers.

The loss is not a layer of the net: its gradient is put at the net's output, so that a net is the same whether it
trains or predicts, and mixed labels are as good as plain ones.
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.data.adapters.caffe import fill_images
from airflow_mlplat.runtime.frameworks import prototxt
from airflow_mlplat.runtime.frameworks.seeds import mixed_seed
from airflow_mlplat.runtime.frameworks.survival import check_survival
from airflow_mlplat.stages.build_file import BuildFile, probe_images
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.trainer import Arrays, Measured
from airflow_mlplat.stages.workers import ONE_WORKER, Alone, Workers

FRAMEWORK = "caffe"
LEAST_PROBABILITY = 1e-7
"""Of a net that ends in a softmax of its own: its logarithm stays finite. The same number as Keras'."""
_SCALE = 1 / 255


class CaffeTrainer:
    """A `stages.trainer.Trainer` of a Caffe net.

    Args:
        build_file: Builds the net, or the net and a solver.
        options: Seed, threads, optimiser and the rest.
        classes: How many.
        workers: One alone, as `stages.together` sees to.
    """

    group = Alone()

    def __init__(
        self, build_file: BuildFile, options: TrainOptions, classes: int, workers: Workers = ONE_WORKER
    ) -> None:
        caffe = self._caffe = import_framework(options)
        self.versions = {"caffe": caffe.__version__}
        self._options, self._build_file = options, build_file
        given = build_file.build(options.build_params(classes, FRAMEWORK))
        net, settings = _read(given, options)
        self._input, self._output = net.layer[0].name, prototxt.output_of(net)
        doing = f"the net on images of shape {(None, options.shape[2], *options.shape[:2])}"
        self._folder = tempfile.TemporaryDirectory()
        texts = [Path(self._folder.name) / name for name in ("solver.prototxt", "net.prototxt")]
        settings.net_param.CopyFrom(prototxt.trained(net, self._output))
        settings.snapshot_prefix = str(texts[0].with_name("snapshot"))
        for path, message in zip(texts, (settings, net)):
            path.write_text(str(message))
        check_survival(lambda: self._try(*texts), doing)
        with build_file.blamed(doing):  # layers in Python may be the user's
            self._make(*texts)
            outputs = self._forward(self._predicting, probe_images(options.shape))
        self.model = self._solver.net
        self._probabilities = build_file.check_outputs(outputs, classes)
        self._sums = np.zeros(2)
        _seed(caffe, options.seed, 1)

    def _make(self, solver: Path, net: Path) -> None:
        _seed(self._caffe, self._options.seed, 0)
        self._solver = self._caffe.get_solver(str(solver))
        self._predicting = self._caffe.Net(str(net), self._caffe.TEST)
        self._predicting.share_with(self._solver.net)

    def _try(self, solver: Path, net: Path) -> None:
        """Both ways through the net; what a training net keeps of its images is changed."""
        self._make(solver, net)
        for made in (self._predicting, self._solver.net):
            self._forward(made, probe_images(self._options.shape))
        made.backward()

    def _forward(self, net: Any, images: np.ndarray) -> np.ndarray:
        fill_images(net.blobs[self._input], images, _SCALE)
        return net.forward()[self._output]

    @np.errstate(over="ignore", invalid="ignore")  # the loop looks at the loss
    def step(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step of the solver."""
        outputs = self._forward(self.model, images)
        wanted = targets if targets.ndim == 2 else np.eye(outputs.shape[1], dtype=np.float32)[targets]
        if self._probabilities:
            found = np.maximum(outputs, LEAST_PROBABILITY)
            told, gradient = np.log(found), -wanted / found
        else:
            told = _log_softmax(outputs)
            gradient = np.exp(told) * wanted.sum(axis=1, keepdims=True) - wanted
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        self._sums += -(told * wanted).sum(dtype=np.float64), (outputs.argmax(axis=1) == labels).sum()
        self.model.clear_param_diffs()
        self.model.backward(**{self._output: gradient / len(images)})
        self._solver.param.base_lr = learning_rate
        self._solver.apply_update()

    def measure(self, step: int) -> Measured:
        """Sums since the last call; dropout goes on from a seed of its own for each `step`."""
        found, self._sums = Measured(*self._sums.tolist()), np.zeros(2)
        _seed(self._caffe, self._options.seed, step + 2)  # 0 and 1 are of building and of the first stretch
        return found

    def average(self) -> None:
        """One worker, on one device: there is nothing to do."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities."""
        outputs = self._forward(self._predicting, images)
        return outputs.copy() if self._probabilities else np.exp(_log_softmax(outputs))

    def state(self) -> Arrays:
        """Weights, the solver's history and its count of steps."""
        found = {f"weight/{name}": array for name, array in self.weights().items()}
        history = self._snapshot().history
        found.update({f"history/{i:04d}": _array(blob) for i, blob in enumerate(history)})
        return {**found, "count": np.array(self._solver.iter)}

    def _snapshot(self) -> Any:
        """Caffe's own record of the solver: it is written to files, there is no other way to it."""
        from caffe.proto import caffe_pb2

        state = caffe_pb2.SolverState()
        self._solver.snapshot()
        for path in Path(self._folder.name).glob("snapshot_iter_*"):
            if path.suffix == ".solverstate":
                state.ParseFromString(path.read_bytes())
            path.unlink()
        return state

    def load(self, state: Arrays) -> None:
        """Go on from a `state`."""
        from caffe.proto import caffe_pb2

        self.load_weights({k[len("weight/") :]: v for k, v in state.items() if k.startswith("weight/")})
        found = caffe_pb2.SolverState(iter=int(state["count"]))
        for name, array in state.items():
            if name.startswith("history/"):
                blob = found.history.add(data=array.ravel().tolist())
                blob.shape.dim.extend(array.shape)
        with tempfile.NamedTemporaryFile(suffix=".solverstate") as file:
            file.write(found.SerializeToString())
            file.flush()
            self._solver.restore(file.name)

    def weights(self) -> Arrays:
        """The blobs of each layer's parameters, by its name and their number."""
        return {name: blob.data.copy() for name, blob in self._named().items()}

    def load_weights(self, weights: Arrays) -> None:
        """Take weights of the same build file."""
        named = self._named()
        expected = {name: array.shape for name, array in weights.items()}
        got = {name: tuple(blob.data.shape) for name, blob in named.items()}
        self._build_file.check_weights(expected, got)
        for name, blob in named.items():
            blob.data[...] = weights[name]

    def _named(self) -> dict[str, Any]:
        return {f"{layer}/{i}": blob for layer, blobs in self.model.params.items() for i, blob in enumerate(blobs)}

    def native(self, directory: Path) -> list[Path]:
        """`model.prototxt` and `model.caffemodel`."""
        from caffe.proto import caffe_pb2

        weights = directory / "model.caffemodel"
        self._predicting.save(str(weights))
        net = caffe_pb2.NetParameter()
        net.ParseFromString(weights.read_bytes())
        for layer in net.layer:
            layer.ClearField("blobs")
        (directory / "model.prototxt").write_text(str(net))
        return sorted(directory.iterdir())


def import_framework(options: TrainOptions) -> Any:
    """The module `caffe`, with the options' threads."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    os.environ.setdefault("GLOG_minloglevel", "2")  # it tells of every layer that it makes
    import caffe

    caffe.set_mode_cpu()
    return caffe


def _read(given: Any, options: TrainOptions) -> tuple[Any, Any]:
    """(the net from images to output, the solver's settings) of what the build file gave."""
    from caffe.proto import caffe_pb2

    net, own = given if isinstance(given, tuple) and len(given) == 2 else (given, "")
    net = prototxt.deployed(prototxt.read(net, caffe_pb2.NetParameter, "net"), options.shape)
    own = prototxt.read(own, caffe_pb2.SolverParameter, "solver")
    prototxt.check_solver(own)
    settings = caffe_pb2.SolverParameter(**OPTIMIZERS[options.optimizer](options))
    if own.HasField("type"):
        settings.Clear()
    settings.MergeFrom(own)
    settings.base_lr, settings.lr_policy = options.learning_rate, "fixed"
    return net, settings


def _adam(options: TrainOptions) -> dict[str, Any]:
    return {"type": "Adam", "momentum": 0.9, "momentum2": 0.999, "delta": 1e-8}


def _sgd(options: TrainOptions) -> dict[str, Any]:
    return {"type": "SGD", "momentum": options.momentum}


OPTIMIZERS: dict[str, Callable[[TrainOptions], dict[str, Any]]] = {"adam": _adam, "sgd": _sgd}


def _seed(caffe: Any, seed: int, stretch: int) -> None:
    """Seed all generators with what follows from both numbers alone."""
    mixed = mixed_seed(seed, stretch)
    caffe.set_random_seed(mixed)
    np.random.seed(mixed)  # layers in Python draw from it
    random.seed(mixed)


def _log_softmax(outputs: np.ndarray) -> np.ndarray:
    """Of each row."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _array(blob: Any) -> np.ndarray:
    return np.array(blob.data, np.float32).reshape(tuple(blob.shape.dim))
