"""How MXNet's trainers of several workers keep one model: by a kvstore, in synchronous steps."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from airflow_mlplat.runtime.frameworks.mxnet_server import Servers
from airflow_mlplat.stages.workers import Workers

_PARTS = 3
"""float32, of 24 bits, that a float64, of 53 bits, is the exact sum of."""


_KEPT: list[Any] = []
"""The kvstore: where a job fails it must outlive its trainer, since whoever frees it waits for the other workers."""


class MXNetGroup:
    """A `stages.workers.Group`; adds up arrays of all workers, which all call its methods in the same order.

    An array that it is given must be nobody else's: MXNet's convolutions keep weights in a layout of their own, which
    kvstores do not send. Worker 0 has the server that adds: with more than two workers it does so in the order in
    which their arrays come, so the last bits of sums may differ from one run to the next.

    Args:
        mx: The module `mxnet`.
        workers: All of them, with addresses.
    """

    def __init__(self, mx: Any, workers: Workers) -> None:
        self.workers, self._mx = workers, mx
        self._store: Any = None
        self._keys: dict[Any, int] = {}
        self._servers: Servers | None = None
        if workers.count > 1:
            environment = _environment(workers)
            self._servers = Servers(environment) if workers.rank == 0 else None
            os.environ.update(environment, DMLC_ROLE="worker")
            self._store = mx.kv.create("dist_sync")
            _KEPT.append(self._store)

    def first(self, values: Any) -> Any:
        """Of all workers' arrays, NDArray (n,), one: the same in all of them."""
        self._store.pull(self._key("first", values), out=values)
        return values

    def summed(self, values: Any) -> Any:
        """The sum of all workers' arrays, NDArray (n,), in the memory of this one's."""
        key = self._key("summed", values)
        self._store.push(key, values)
        self._store.pull(key, out=values)
        return values

    def _key(self, what: str, values: Any) -> int:
        """A key of the kvstore for arrays of that kind; all workers begin with it at the same time."""
        kind = (what, values.shape, values.dtype)
        if kind not in self._keys:
            self._keys[kind] = len(self._keys)
            self._store.init(self._keys[kind], values)
        return self._keys[kind]

    def total(self, values: np.ndarray) -> np.ndarray:
        """Sums over all workers. MXNet's server adds in 32 bits: so each worker's values go a way of their own."""
        if self.workers.count == 1:
            return values
        own = np.zeros((self.workers.count, _PARTS, len(values)), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # the loop looks at what is not finite
            for part in own[self.workers.rank]:
                part[:] = values
                values = values - part
        sums = self.summed(self._mx.nd.array(own.ravel())).asnumpy().astype(np.float64)
        return sums.reshape(own.shape).sum(axis=1).sum(axis=0)

    def leave(self) -> None:
        """Wait until all others leave, too: they may not have the last sums yet."""
        self._store = None
        _KEPT.clear()  # now it is freed, which waits
        if self._servers is not None:
            self._servers.end()


def _environment(workers: Workers) -> dict[str, str]:
    """What MXNet wants to know of the workers. Beside worker 0's port, the nodes take any that are free."""
    host, port = workers.addresses[0]
    return {
        "DMLC_PS_ROOT_URI": host,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NODE_HOST": workers.addresses[workers.rank][0],
        "DMLC_NUM_WORKER": str(workers.count),
        "DMLC_NUM_SERVER": "1",
    }
