"""One trainer of the proof `shared-stream`, in its framework's environment: the real adapter, a light step.

Usage: python shared_trainer.py tensorflow|mxnet|torch|numpy DOCUMENT. Writes one digest a line, then one JSON document:
`taking_seconds`, CPU time of whoever asks for batches, until their bytes are in its memory; `thread_seconds`, CPU time
of all other threads of this process, which without a framework are those that decode; and the iterator's counts.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, batch_digest
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.store import Samples, open_store

PAGE_BYTES = 4096
CELL = 32  # pixels whose mean is one input of the model
CLASSES = 2


class Timed:
    """An iterator as adapters take it, that knows the CPU time of taking its batches."""

    def __init__(self, iterator):
        self._iterator, self.options, self.seconds = iterator, iterator.options, 0.0

    def epoch(self):
        batches = self._iterator.epoch()
        while True:
            started = time.thread_time()
            batch = next(batches, None)
            if batch is not None:
                batch.images.reshape(-1)[::PAGE_BYTES].sum()  # pages of a shared batch are mapped when they are touched
            self.seconds += time.thread_time() - started
            if batch is None:
                return
            yield batch


def with_numpy(iterator, inputs):
    from airflow_mlplat.data.adapters.numpy import arrays

    weights = np.zeros((inputs, CLASSES), np.float32)

    def step(images, labels):
        n, height, width, channels = images.shape
        cells = images.reshape(n, height // CELL, CELL, width // CELL, CELL, channels)[:, :, 0, :, 0]
        x = cells.reshape(n, -1).astype(np.float32) / 255
        scores = np.exp(x @ weights)
        weights[...] -= 0.01 / n * x.T @ (scores / scores.sum(1, keepdims=True) - np.eye(CLASSES)[labels])

    return lambda: arrays(iterator), step


def with_tensorflow(iterator, inputs):
    import tensorflow as tf

    from airflow_mlplat.data.adapters.tensorflow import dataset

    weights = tf.Variable(tf.zeros((inputs, CLASSES)))
    batches = dataset(iterator)

    def step(images, labels):
        x = tf.reshape(tf.cast(images[:, ::CELL, ::CELL], tf.float32) / 255, (len(labels), inputs))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, x @ weights))
        weights.assign_sub(0.01 * tape.gradient(loss, weights))

    return lambda: batches, step


def with_mxnet(iterator, inputs):
    import mxnet as mx

    from airflow_mlplat.data.adapters.mxnet import ndarrays

    weights = mx.nd.zeros((inputs, CLASSES))
    weights.attach_grad()
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()

    def step(images, labels):
        x = images[:, ::CELL, ::CELL].astype("float32").reshape((len(labels), inputs)) / 255
        with mx.autograd.record():
            loss = loss_of(mx.nd.dot(x, weights), labels.astype("float32")).mean()
        loss.backward()
        weights[:] = weights - 0.01 * weights.grad

    return lambda: ndarrays(iterator), step


def array(tensor):
    """A framework's tensor as a numpy array."""
    return tensor if isinstance(tensor, np.ndarray) else getattr(tensor, "asnumpy", getattr(tensor, "numpy", None))()


def main(framework, document):
    samples = Samples(open_store(document["store"]), Ref.from_json(document["ref"]))
    options = IteratorOptions(**document["options"])
    epochs, height, width, channels = document["epochs"], *options.shape
    if document["stream"] is None:
        iterator = BatchIterator(samples, options, epochs)
    else:
        iterator = SharedIterator(samples, options, epochs, StreamOptions(**document["stream"]))
    timed = Timed(iterator)
    start, step = globals()[f"with_{framework}"](timed, (height // CELL) * (width // CELL) * channels)
    began, began_here = time.process_time(), time.thread_time()
    with contextlib.closing(iterator), Path(document["output"]).open("w", buffering=1) as output:
        for _ in range(epochs):
            for images, labels in start():
                output.write(batch_digest(array(images), array(labels)) + "\n")
                step(images, labels)
        threads = time.process_time() - began - (time.thread_time() - began_here)
    counts = {} if document["stream"] is None else iterator.stats()
    print(json.dumps({"taking_seconds": timed.seconds, "thread_seconds": threads, "counts": counts}))


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
