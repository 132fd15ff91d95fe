"""How several workers and devices of TensorFlow keep one model: by a strategy of `tf.distribute`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from airflow_mlplat.errors import BuildError, ConfigError, PlatformError
from airflow_mlplat.runtime.frameworks.devices import warn_without_gpu
from airflow_mlplat.stages.workers import Workers

LOG = logging.getLogger("airflow_mlplat.runtime")


class TensorFlowGroup:
    """A `stages.workers.Group`, with the strategy in whose scope a model and its optimiser are made.

    A replica is a device's copy of the model. Their gradients are added up in a ring (or by NCCL between GPUs), always
    in the same order: the same bits in each run.

    Args:
        tf: The module `tensorflow`, of which nothing has run yet.
        workers: All of them, with addresses.
        devices: Of each worker.

    Raises:
        ConfigError: There are fewer GPUs; or none, where several workers are to have several devices.
    """

    def __init__(self, tf: Any, workers: Workers, devices: int = 1) -> None:
        self.workers, self._devices, self._tf = workers, devices, tf
        kind = _set_up(tf, devices)
        if workers.count > 1:
            self.strategy = _joined(tf, workers, devices, kind)
        elif devices > 1:
            self.strategy = tf.distribute.MirroredStrategy([f"{kind}:{number}" for number in range(devices)])
        else:
            self.strategy = tf.distribute.get_strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        signature = [tf.TensorSpec((None,), tf.float64)]
        self._total = tf.function(self._total_graph, input_signature=signature, jit_compile=False)

    def _total_graph(self, values: Any) -> Any:
        tf = self._tf
        # Each of a worker's replicas gives the same: a part of it, which may be rounded.
        own = self.strategy.run(lambda: tf.identity(values) / self._devices)
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, own, axis=None)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over all workers."""
        return values if self.workers.count == 1 else self._total(values).numpy()

    def part(self, batch: Any) -> Any:
        """A replica's own of a worker's batch, in a graph."""
        if self._devices == 1:
            return batch
        replica = self._tf.distribute.get_replica_context().replica_id_in_sync_group
        with self._tf.device("CPU:0"):  # where the batch is: else each GPU would be given all of it
            return batch[replica % self._devices :: self._devices]

    def all_true(self, values: Any) -> Any:
        """Whether a bool, of each replica its own, is true in all of them, in a graph."""
        tf = self._tf
        wrong = self.strategy.run(lambda value: tf.cast(tf.logical_not(value), tf.float32), (values,))
        return tf.equal(self.strategy.reduce(tf.distribute.ReduceOp.SUM, wrong, axis=None), 0.0)

    def mean(self, variables: list[Any]) -> None:
        """Give each variable, in a graph, the mean of its replicas, where they differ."""
        if self.replicas == 1 or not variables:
            return
        tf, strategy = self._tf, self.strategy
        own = strategy.run(lambda: [tf.identity(variable.value) for variable in variables])
        for variable, values in zip(variables, own):
            variable.assign(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))

    @contextmanager
    def joining(self) -> Iterator[None]:
        """The scope in which a model is made; what another worker's end does to that is not the build file's mistake.

        Raises:
            PlatformError: Another worker is gone.
        """
        errors = self._tf.errors
        lost = (errors.UnavailableError, errors.AbortedError, errors.CancelledError, errors.DeadlineExceededError)
        try:
            with self.strategy.scope():
                yield
        except BuildError as error:
            if self.workers.count > 1 and isinstance(error.__cause__, lost):
                raise PlatformError("another worker is gone", got=error.__cause__) from error
            raise

    def leave(self) -> None:
        """Wait for all others: they may not have the last sums yet."""
        try:
            self.total(np.zeros(1))
        except self._tf.errors.OpError as error:  # the others had this one's word, and were gone before it had theirs
            LOG.info("The other workers have left already: %s", type(error).__name__)


def _set_up(tf: Any, devices: int) -> str:
    """Have so many devices, and no others; returns their kind."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        warn_without_gpu(devices)
        if devices > 1:
            parts = [tf.config.LogicalDeviceConfiguration()] * devices
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
        return "CPU"
    if len(gpus) < devices:
        raise ConfigError("there are not so many GPUs", expected=f"devices {len(gpus)} or fewer", got=devices)
    tf.config.set_visible_devices(gpus[:devices], "GPU")  # TensorFlow takes the memory of all that it sees
    return "GPU"


def _joined(tf: Any, workers: Workers, devices: int, kind: str) -> Any:
    """The strategy of several workers; returns when all have come."""
    if kind == "CPU" and devices > 1:
        raise ConfigError(
            "TensorFlow's workers have one CPU each", expected="devices 1, or GPUs", got=f"devices {devices} and no GPU"
        )
    distribute = tf.distribute
    cluster = tf.train.ClusterSpec({"worker": [f"{host}:{port}" for host, port in workers.addresses]})
    resolver = distribute.cluster_resolver.SimpleClusterResolver(
        cluster,
        task_type="worker",
        task_id=workers.rank,
        num_accelerators={"GPU": devices} if kind == "GPU" else {},
        rpc_layer="grpc",
    )
    ways = distribute.experimental.CommunicationImplementation
    options = distribute.experimental.CommunicationOptions(implementation=ways.AUTO if kind == "GPU" else ways.RING)
    return distribute.MultiWorkerMirroredStrategy(resolver, options)
