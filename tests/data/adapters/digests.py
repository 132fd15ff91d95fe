"""What a framework is given of a span of digits. Run in the framework's own environment; prints one JSON document.

Usage: python digests.py tensorflow|mxnet|numpy STORE REFERENCE
"""

from __future__ import annotations

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


def iterator_of(samples, changed, epochs=2):
    return BatchIterator(
        samples, IteratorOptions(**{"batch_size": 8, "shape": (8, 8, 1), "seed": 4, **changed}), epochs
    )


def with_numpy(samples):
    from airflow_mlplat.data.adapters.numpy import arrays

    for changed in OPTIONS:
        iterator = iterator_of(samples, changed)
        yield [[batch_digest(*batch) for batch in arrays(iterator)] for _ in range(3)]


def with_tensorflow(samples):
    from airflow_mlplat.data.adapters.tensorflow import dataset

    for changed in OPTIONS:
        batches = dataset(iterator_of(samples, changed))
        yield [[batch_digest(x.numpy(), y.numpy()) for x, y in batches] for _ in range(3)]


def with_mxnet(samples):
    from airflow_mlplat.data.adapters.mxnet import data_iter, ndarrays

    for changed in OPTIONS:
        iterator, again = iterator_of(samples, changed), iterator_of(samples, changed)
        epochs = [[batch_digest(x.asnumpy(), y.asnumpy()) for x, y in ndarrays(iterator)] for _ in range(3)]
        batches, others = data_iter(again), []
        for _ in range(3):
            others.append([batch_digest(b.data[0].asnumpy(), b.label[0].asnumpy()) for b in batches])
            batches.reset()
        yield epochs if epochs == others else {"ndarrays": epochs, "data_iter": others}


def trained_tensorflow(samples):
    """Keras' own `fit` for two epochs, which must not run out of batches; and the state after two batches."""
    import keras

    from airflow_mlplat.data.adapters.tensorflow import dataset

    model = keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    iterator = iterator_of(samples, {})
    losses = model.fit(dataset(iterator), epochs=2, verbose=0).history["loss"]
    partly = iterator_of(samples, {})
    for taken, _ in enumerate(dataset(partly), 1):
        if taken == 2:
            break
    static = dataset(iterator_of(samples, {"drop_remainder": True})).element_spec[0].shape
    return [losses, iterator.get_state(), partly.get_state(), list(static)]


def trained_mxnet(samples):
    """A module's own `fit` for two epochs, the last batch of which is smaller."""
    import mxnet as mx

    from airflow_mlplat.data.adapters.mxnet import data_iter

    pixels = mx.sym.Flatten(mx.sym.Cast(mx.sym.Variable("data"), dtype="float32"))
    output = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(pixels, num_hidden=10), mx.sym.Variable("softmax_label"))
    metric, iterator = mx.metric.CrossEntropy(), iterator_of(samples, {})
    losses = []
    mx.mod.Module(output).fit(
        data_iter(iterator), num_epoch=2, eval_metric=metric,
        epoch_end_callback=lambda *_: losses.append([metric.get()[1], metric.num_inst]),
    )  # fmt: skip
    return [losses, iterator.get_state()]


def main(framework, url, ref):
    samples = Samples(open_store(url), Ref.from_json(json.loads(ref)))
    digests = list(globals()[f"with_{framework}"](samples))
    trained = globals().get(f"trained_{framework}", lambda _: None)(samples)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("mlplat")]
    print(json.dumps({"numpy": np.__version__, "digests": digests, "trained": trained, "left": left}))


if __name__ == "__main__":
    main(*sys.argv[1:])
