"""Batches for MXNet: as an iterable for Gluon, and as a `DataIter` for the module API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator


def ndarrays(iterator: BatchIterator) -> Iterator[tuple[Any, Any]]:
    """Pairs of NDArrays: images, uint8 (n, height, width, channels), and labels, int64 (n,), for Gluon.

    The rest of one epoch; called again it gives the next one. They are the iterator's own memory, without a copy.
    """
    for images, labels in arrays(iterator):
        yield _ndarray(images), _ndarray(labels)


def data_iter(iterator: BatchIterator) -> Any:
    """An `mx.io.DataIter` of the iterator's batches: the rest of one epoch, and after `reset` the next one.

    Images are uint8 (n, height, width, channels); labels are float32 (n,), the only type that modules' outputs take.
    A smaller batch is given as it is, without padding (`pad` is 0): nothing is counted twice, and modules follow the
    shape.
    """
    import mxnet as mx

    options = iterator.options

    class BatchDataIter(mx.io.DataIter):
        def __init__(self) -> None:
            super().__init__(options.batch_size)
            shape = (options.batch_size, *options.shape)
            self.provide_data = [mx.io.DataDesc("data", shape, "uint8", layout="NHWC")]
            self.provide_label = [mx.io.DataDesc("softmax_label", shape[:1], "float32")]
            self.reset()

        def reset(self) -> None:
            self._batches = arrays(iterator)

        def next(self) -> Any:
            images, labels = next(self._batches)
            return mx.io.DataBatch([_ndarray(images)], [_ndarray(labels.astype(np.float32))], pad=0)

    return BatchDataIter()


def _ndarray(array: np.ndarray) -> Any:
    """An NDArray of the same memory, which it keeps: `mx.nd.array` copies, at a fifteenth of a copy's usual speed."""
    import mxnet as mx

    return mx.nd.from_numpy(array.view(), zero_copy=True)  # of a view: MXNet makes what it is given read-only
