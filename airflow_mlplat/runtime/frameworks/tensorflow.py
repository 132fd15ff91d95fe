"""TensorFlow's trainer: Keras models on a training step of our own, the same bits each time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.runtime.frameworks.loss_scale import LossScale
from airflow_mlplat.runtime.frameworks.tensorflow_group import TensorFlowGroup
from airflow_mlplat.stages.arrays import unzip, zip_bytes
from airflow_mlplat.stages.build_file import BuildFile, probe_images
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.trainer import Arrays, Measured
from airflow_mlplat.stages.workers import ONE_WORKER, Workers

FRAMEWORK, SCALE = "tensorflow", "loss_scale"
_APART = 0x9E3779B1
"""Between seeds of replicas: odd, so that they differ for all of them (Knuth's multiplicative hashing)."""


class TensorFlowTrainer:
    """A `stages.trainer.Trainer` of a Keras model.

    Args:
        build_file: Builds the model.
        options: Seed, threads, optimiser and the rest.
        classes: How many.
        workers: Who trains together.
    """

    def __init__(
        self, build_file: BuildFile, options: TrainOptions, classes: int, workers: Workers = ONE_WORKER
    ) -> None:
        tf, keras = import_framework(options)
        self._tf, self._build_file = tf, build_file
        self.versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
        self.group = TensorFlowGroup(tf, workers, options.devices)
        self._scale = LossScale() if options.precision == "float16" else None
        with self.group.joining():
            self.model = build_file.build(options.build_params(classes, FRAMEWORK))
            build_file.check_model(self.model, keras.Model, "a Keras model")
            with build_file.blamed(f"the model on images of shape {(None, *options.shape)}"):
                outputs = self.model(_as_input(tf, probe_images(options.shape)), training=False)
            outputs = tf.cast(outputs, tf.float32).numpy() if isinstance(outputs, tf.Tensor) else outputs
            self._probabilities = build_file.check_outputs(outputs, classes, options.precision)
            self._optimizer = OPTIMIZERS[options.optimizer](keras, options)
            self._optimizer.build(self.model.trainable_variables)
        self._spread = tf.function(self._spread_graph)
        self._spread()
        self._average = tf.function(self._average_graph)
        self._sums = [tf.Variable(0.0, dtype=tf.float64), tf.Variable(0.0, dtype=tf.float64)]
        losses = {1: keras.losses.SparseCategoricalCrossentropy, 2: keras.losses.CategoricalCrossentropy}
        self._losses = {ndim: loss(from_logits=not self._probabilities) for ndim, loss in losses.items()}
        # One signature for each kind of targets, with any number of rows: a smaller last batch is not traced again.
        images, number = tf.TensorSpec((None, *options.shape), tf.uint8), tf.TensorSpec((), tf.float32)
        kinds = {1: tf.TensorSpec((None,), tf.int64), 2: tf.TensorSpec((None, classes), tf.float32)}
        self._steps = {
            ndim: tf.function(self._step_graph, input_signature=[images, targets, number, number], jit_compile=False)
            for ndim, targets in kinds.items()
        }
        self._predict = tf.function(self._predict_graph, input_signature=[images], jit_compile=False)

    def _step_graph(self, images: Any, targets: Any, rate: Any, scale: Any) -> Any:
        """With a loss scale, returns whether gradients were finite; the step is left out where they are not.

        Without one it returns nothing: TensorFlow optimises a graph that gives something otherwise, to other bits.
        """
        tf, group = self._tf, self.group
        self._optimizer.learning_rate.assign(rate)
        gradients, *found = group.strategy.run(self._gradients_graph, (images, targets, scale))
        for total, parts in zip(self._sums, found):
            total.assign_add(tf.add_n(group.strategy.experimental_local_results(parts)))
        if self._scale is None:
            self._apply_graph(gradients)
            return None
        finite = group.all_true(group.strategy.run(self._finite_graph, (gradients,)))
        # Decided for all replicas at once: one that went on alone would wait for the others' gradients.
        return tf.cond(finite, lambda: self._apply_graph(gradients), lambda: False)

    def _apply_graph(self, gradients: Any) -> bool:
        self.group.strategy.run(lambda own: self._optimizer.apply(own, self.model.trainable_variables), (gradients,))
        return True

    def _finite_graph(self, gradients: list[Any]) -> Any:
        tf = self._tf
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(own)) for own in gradients if own is not None])

    def _gradients_graph(self, images: Any, targets: Any, scale: Any) -> tuple[list[Any], Any, Any]:
        """A replica's gradients, and its sums of losses and of images classified rightly."""
        tf, ndim, replicas = self._tf, len(targets.shape), self.group.replicas
        images, targets = self.group.part(images), self.group.part(targets)
        with tf.GradientTape() as tape:
            outputs = tf.cast(self.model(_as_input(tf, images), training=True), tf.float32)
            # Keras' losses are means, divided by the replicas, and its optimisers add up the replicas' gradients.
            loss = tf.cast(self._losses[ndim](targets, outputs), tf.float32)
            own = [more / replicas for more in self.model.losses]  # those of layers: weight decay
            total = tf.add_n([loss, *own])
            scaled = total if self._scale is None else total * scale
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        if self._scale is not None:
            gradients = [own if own is None else own / scale for own in gradients]
        labels = targets if ndim == 1 else tf.argmax(targets, axis=1)
        right = tf.equal(tf.argmax(outputs, axis=1), labels)
        rows = tf.cast(tf.shape(labels)[0] * replicas, tf.float64)
        return gradients, tf.cast(loss, tf.float64) * rows, tf.reduce_sum(tf.cast(right, tf.float64))

    def _average_graph(self) -> None:
        self.group.mean([v for v in self.model.non_trainable_weights if v.dtype.startswith(("float", "bfloat"))])

    def _spread_graph(self) -> None:
        """Let replicas draw other noise: a generator's state is (seed, draws so far), the same in all until here."""
        weights = {id(variable) for variable in self.model.weights}
        seeds = [v for v in self.model.variables if id(v) not in weights and v.dtype == "uint32" and v.shape == (2,)]
        if self.group.replicas > 1 and seeds:
            self.group.strategy.run(self._spread_replica, (seeds,))

    def _spread_replica(self, seeds: list[Any]) -> None:
        tf = self._tf
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.uint32)
        for variable in seeds:
            variable.assign(variable.value + tf.stack([replica * tf.constant(_APART, tf.uint32), 0]))

    def _predict_graph(self, images: Any) -> Any:
        outputs = self._tf.cast(self.model(_as_input(self._tf, images), training=False), self._tf.float32)
        return outputs if self._probabilities else self._tf.nn.softmax(outputs)

    def step(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step of the optimiser."""
        scale = 1.0 if self._scale is None else self._scale.value
        done = self._steps[targets.ndim](images, targets, np.float32(learning_rate), np.float32(scale))
        if self._scale is not None:
            self._scale.update(bool(done))

    def measure(self, step: int) -> Measured:
        """Sums since the last call. Keras keeps its random state in variables, which `state` has."""
        found = Measured(*(float(variable.numpy()) for variable in self._sums))
        for variable in self._sums:
            variable.assign(0.0)
        return found

    def average(self) -> None:
        """Of what has no gradient: batch normalisation's means and variances."""
        self._average()

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities."""
        return self._predict(images).numpy()

    def state(self) -> Arrays:
        """The model's variables, which include the seeds of dropout, and the optimiser's."""
        scale = {} if self._scale is None else {SCALE: self._scale.state()}
        return {**_values([*self.model.variables, *self._optimizer.variables]), **scale}

    def load(self, state: Arrays) -> None:
        """Go on from a `state`, which is of worker 0's first replica."""
        variables = {name: array for name, array in state.items() if name != SCALE}
        self._assign([*self.model.variables, *self._optimizer.variables], variables)
        if self._scale is not None:
            self._scale.load(state[SCALE])
        self._spread()

    def weights(self) -> Arrays:
        """The model's weights, by number and path."""
        return _values(self.model.weights)

    def load_weights(self, weights: Arrays) -> None:
        """Take weights of the same build file."""
        self._assign(self.model.weights, weights)

    def _assign(self, variables: list[Any], values: Arrays) -> None:
        self._build_file.check_weights([v.shape for v in values.values()], [tuple(v.shape) for v in variables])
        for variable, array in zip(variables, values.values()):
            variable.assign(array)

    def native(self, directory: Path) -> list[Path]:
        """`model.keras`, without what Keras writes into it of this process: the date and addresses of objects."""
        path = directory / "model.keras"
        self.model.save(path)
        members = unzip(path)
        metadata, config = json.loads(members["metadata.json"]), json.loads(members["config.json"])
        metadata["date_saved"] = "1980-01-01@00:00:00"
        _renumber(config, {})
        members["metadata.json"], members["config.json"] = json.dumps(metadata).encode(), json.dumps(config).encode()
        path.write_bytes(zip_bytes(members))
        return [path]


def import_framework(options: TrainOptions) -> tuple[Any, Any]:
    """TensorFlow and Keras, made deterministic, with the options' threads and seed.

    Returns:
        The modules `tensorflow` and `keras`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its greetings are no news in a task's log
    os.environ["KERAS_BACKEND"] = FRAMEWORK
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import keras
    import tensorflow as tf

    tf.get_logger().setLevel("WARNING")  # nor is what its strategies do
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    tf.config.experimental.enable_op_determinism()
    keras.backend.clear_session()
    keras.config.set_dtype_policy(POLICIES[options.precision])
    keras.utils.set_random_seed(options.seed)  # of Python's, numpy's and TensorFlow's generators
    return tf, keras


POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def _adam(keras: Any, options: TrainOptions) -> Any:
    return keras.optimizers.Adam(options.learning_rate)


def _sgd(keras: Any, options: TrainOptions) -> Any:
    return keras.optimizers.SGD(options.learning_rate, momentum=options.momentum)


OPTIMIZERS = {"adam": _adam, "sgd": _sgd}


def _as_input(tf: Any, images: Any) -> Any:
    """float32 in [0, 1] of uint8."""
    return tf.cast(images, tf.float32) / 255.0


def _renumber(config: Any, numbers: dict[int, int]) -> None:
    """Put 1, 2, … for the `shared_object_id` of a saved model, each of which is an address; in place."""
    if isinstance(config, dict) and "shared_object_id" in config:
        config["shared_object_id"] = numbers.setdefault(config["shared_object_id"], len(numbers) + 1)
    parts = config.values() if isinstance(config, dict) else config
    for part in parts if isinstance(config, (dict, list)) else ():
        _renumber(part, numbers)


def _values(variables: list[Any]) -> Arrays:
    return {f"{i:04d}.{variable.path}": np.array(variable) for i, variable in enumerate(variables)}
