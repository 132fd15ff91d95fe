"""How TensorFlow's trainers of several workers keep one model: by a strategy of `tf.distribute`."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from airflow_mlplat.stages.workers import Workers

LOG = logging.getLogger("airflow_mlplat.runtime")


class TensorFlowGroup:
    """A `stages.workers.Group`, with the strategy in whose scope a model and its optimiser are made.

    A replica is a worker's copy of the model. Their gradients are added up in a ring (or by NCCL between GPUs), always
    in the same order: the same bits in each run.

    Args:
        tf: The module `tensorflow`, of which nothing has run yet.
        workers: All of them, with addresses.
    """

    def __init__(self, tf: Any, workers: Workers) -> None:
        self.workers, self._tf = workers, tf
        self.strategy = tf.distribute.get_strategy() if workers.count == 1 else _joined(tf, workers)
        self.replicas: int = self.strategy.num_replicas_in_sync
        signature = [tf.TensorSpec((None,), tf.float64)]
        self._total = tf.function(self._total_graph, input_signature=signature, jit_compile=False)

    def _total_graph(self, values: Any) -> Any:
        tf = self._tf
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, self.strategy.run(tf.identity, (values,)), axis=None)

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over all workers."""
        return values if self.workers.count == 1 else self._total(values).numpy()

    def mean(self, variables: list[Any]) -> None:
        """Give each variable, in a graph, the mean of its replicas, where they differ."""
        if self.replicas == 1 or not variables:
            return
        tf, strategy = self._tf, self.strategy
        own = strategy.run(lambda: [tf.identity(variable.value) for variable in variables])
        for variable, values in zip(variables, own):
            variable.assign(strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None))

    def leave(self) -> None:
        """Wait for all others: they may not have the last sums yet."""
        try:
            self.total(np.zeros(1))
        except self._tf.errors.OpError as error:  # the others had this one's word, and were gone before it had theirs
            LOG.info("The other workers have left already: %s", type(error).__name__)


def _joined(tf: Any, workers: Workers) -> Any:
    """The strategy of several workers; returns when all have come."""
    distribute = tf.distribute
    cluster = tf.train.ClusterSpec({"worker": [f"{host}:{port}" for host, port in workers.addresses]})
    resolver = distribute.cluster_resolver.SimpleClusterResolver(
        cluster, task_type="worker", task_id=workers.rank, rpc_layer="grpc"
    )
    ways = distribute.experimental.CommunicationImplementation
    way = ways.AUTO if tf.config.list_physical_devices("GPU") else ways.RING
    return distribute.MultiWorkerMirroredStrategy(
        resolver, distribute.experimental.CommunicationOptions(implementation=way)
    )
