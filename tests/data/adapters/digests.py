"""What a framework is given of a span of digits. Run in the framework's own environment; prints one JSON document.

Usage: python digests.py numpy|tensorflow|mxnet|torch|jax|caffe STORE REFERENCE
"""

from __future__ import annotations

import importlib
import json
import sys
import threading

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, batch_digest
from airflow_mlplat.store import Samples, open_store

OPTIONS = [
    {},
    {"resize": "box", "shape": (9, 5, 3), "threads": 3},
    {"shard_index": 1, "shard_count": 3, "drop_remainder": True},
    {"shuffle": False, "batch_size": 60},
]
LARGE = {"shape": (64, 64, 3), "batch_size": 2}


class Memory:
    """An iterator's `allocate`, from multiples of 64 bytes on, that counts: memory that is free again is not asked for.

    So there are as many as batches only if those who keep the batches share their memory.
    """

    given = 0

    def __call__(self, size):
        self.given += 1
        memory = np.empty(size + 64, np.uint8)
        first = -memory.ctypes.data % 64
        return memory[first : first + size]


def iterator_of(samples, changed, epochs=2, **more):
    how = IteratorOptions(**{"batch_size": 8, "shape": (8, 8, 1), "seed": 4, **changed})
    return BatchIterator(samples, how, epochs, **more)


def ways_numpy():
    """Of each way into a framework: a function from an iterator to one that gives the pairs of one pass."""
    from airflow_mlplat.data.adapters.numpy import arrays

    return {"arrays": lambda iterator: lambda: arrays(iterator)}


def ways_tensorflow():
    from airflow_mlplat.data.adapters.tensorflow import dataset

    def of(iterator):
        batches = dataset(iterator)
        return lambda: batches

    return {"dataset": of}


def ways_mxnet():
    from airflow_mlplat.data.adapters.mxnet import data_iter, ndarrays

    def of_data_iter(iterator):
        batches = data_iter(iterator)

        def one_pass():
            yield from ((batch.data[0], batch.label[0]) for batch in batches)
            batches.reset()

        return one_pass

    return {"ndarrays": lambda iterator: lambda: ndarrays(iterator), "data_iter": of_data_iter}


def ways_torch():
    from torch.utils.data import DataLoader

    from airflow_mlplat.data.adapters.torch import dataset

    def of(iterator):
        batches = dataset(iterator)
        return lambda: batches

    def of_loader(iterator):
        batches = DataLoader(dataset(iterator), batch_size=None, num_workers=0)
        return lambda: batches

    return {"dataset": of, "loader": of_loader}


def ways_jax():
    from airflow_mlplat.data.adapters.jax import arrays

    return {"arrays": lambda iterator: lambda: arrays(iterator)}


def ways_caffe():
    return importlib.import_module("caffe_nets").WAYS


AS_NUMPY = {"mxnet": lambda array: array.asnumpy(), "tensorflow": lambda tensor: tensor.numpy()}


def main(framework, url, ref):
    samples = Samples(open_store(url), Ref.from_json(json.loads(ref)))
    as_numpy = AS_NUMPY.get(framework, np.asarray)

    def digests(pairs):
        return [batch_digest(as_numpy(images), as_numpy(labels)) for images, labels in pairs]

    found, shared = {}, {}
    for name, way in globals()[f"ways_{framework}"]().items():
        found[name] = []
        for changed in OPTIONS:
            one_pass = way(iterator_of(samples, changed))
            found[name].append([digests(one_pass()) for _ in range(3)])
        # All of an epoch's at its end: memory that a framework did not hold on to would be another batch's by then.
        memory = Memory()
        kept = list(way(iterator_of(samples, LARGE, allocate=memory))())
        found[name].append([digests(kept)])
        shared[name] = memory.given >= len(kept)
    more = importlib.import_module("trained").TRAINED.get(framework, lambda _: None)(samples)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("mlplat")]
    print(json.dumps({"numpy": np.__version__, "digests": found, "shared": shared, "trained": more, "left": left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
