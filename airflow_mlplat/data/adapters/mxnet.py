"""Batches for MXNet: as an iterable for Gluon, and as a `DataIter` for the module API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator


def ndarrays(iterator: BatchIterator) -> Iterator[tuple[Any, Any]]:
    """Pairs of NDArrays: images, uint8 (n, height, width, channels), and labels, int64 (n,), for Gluon."""
    import mxnet as mx

    for images, labels in arrays(iterator):
        yield mx.nd.array(images, dtype="uint8"), mx.nd.array(labels, dtype="int64")


def data_iter(iterator: BatchIterator, shape: tuple[int, int, int], batch_size: int) -> Any:
    """An `mx.io.DataIter` of the iterator's batches.

    Args:
        iterator: Where the batches come from; `reset` goes on where the last pass ended.
        shape: (height, width, channels), as in the iterator's options.
        batch_size: As in the iterator's options.
    """
    import mxnet as mx

    class BatchDataIter(mx.io.DataIter):
        """Gives each batch once; a smaller one says by `pad` how much of it is missing."""

        def __init__(self) -> None:
            super().__init__(batch_size)
            self.provide_data = [mx.io.DataDesc("data", (batch_size, *shape), "uint8", layout="NHWC")]
            self.provide_label = [mx.io.DataDesc("softmax_label", (batch_size,), "int64")]
            self.reset()

        def reset(self) -> None:
            self._batches = ndarrays(iterator)

        def next(self) -> Any:
            images, labels = next(self._batches)
            return mx.io.DataBatch([images], [labels], pad=batch_size - images.shape[0])

    return BatchDataIter()
