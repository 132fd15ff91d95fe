"""Batches for Caffe: put into a net's blobs, or given by a Python layer that a prototxt names.

    layer {
      name: "batches"  type: "Python"  top: "data"  top: "label"
      python_param {
        module: "airflow_mlplat.data.adapters.caffe"  layer: "BatchLayer"
        param_str: '{"iterator": "train", "scale": 0.00392156862745098}'
      }
    }

Blobs hold images as float32 (n, channels, height, width) in [0, 255 · scale], labels as float32 (n,).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.errors import DataError, SpecError

_OFFERED: dict[str, BatchIterator] = {}


def feed(
    iterator: BatchIterator, net: Any, data: str = "data", label: str = "label", scale: float = 1.0
) -> Iterator[int]:
    """Fill a net's blobs with one batch after the other: the rest of one epoch; called again the next one.

        for n in feed(iterator, solver): solver.step(1)

    Args:
        iterator: Where the batches come from.
        net: A `caffe.Net` with layers of type Input, or a solver (of `iter_size` 1), whose training net is filled.
        data: The blob of the images.
        label: The blob of the labels.
        scale: Factor of the images.

    Returns:
        Of each batch how many samples it has. The blobs take that size; the other layers follow in the next `forward`.

    Raises:
        SpecError: The net has no such blob, or a blob is for something else.
    """
    blobs = getattr(net, "net", net).blobs
    for name in (data, label):
        if name not in blobs:
            raise SpecError(f"the net has no blob {name!r}", expected=" | ".join(blobs), got=repr(name))
    for images, labels in arrays(iterator):
        fill(blobs[data], blobs[label], images, labels, scale)
        yield len(labels)


def fill(data: Any, label: Any, images: np.ndarray, labels: np.ndarray, scale: float = 1.0) -> None:
    """Put one batch into two blobs. Pixels are converted right into the blob's memory.

    Args:
        data: Blob of (any, channels, height, width).
        label: Blob of (any,), or of (any, 1, …).
        images: uint8 (n, height, width, channels).
        labels: int64 (n,).
        scale: Factor of the images.

    Raises:
        SpecError: A blob is for images of another shape, or for more than one label.
    """
    if label.data[:1].size != 1:
        raise SpecError("blob for more than one label", expected="(n,) or (n, 1, …)", got=label.data.shape)
    fill_images(data, images, scale)
    _resize(label, len(labels))
    label.data[...] = labels.reshape(label.data.shape)


def fill_images(data: Any, images: np.ndarray, scale: float = 1.0) -> None:
    """Put a batch's images alone into a blob; see `fill`."""
    nchw = images.transpose(0, 3, 1, 2)
    if data.data.shape[1:] != nchw.shape[1:]:
        raise SpecError(
            "blob for images of another shape", expected=f"(n, {', '.join(map(str, nchw.shape[1:]))})",
            got=data.data.shape, fix="let the net's input have the iterator's shape, channels first",
        )  # fmt: skip
    _resize(data, len(images))
    data.data[...] = nchw
    if scale != 1:
        data.data[...] *= np.float32(scale)


def _resize(blob: Any, rows: int) -> None:
    if len(blob.data) != rows:
        blob.reshape(rows, *blob.data.shape[1:])


@contextmanager
def offered(iterator: BatchIterator, name: str = "train") -> Iterator[None]:
    """Layers of nets that are made within may name the iterator; they keep it.

    Raises:
        SpecError: Another iterator has this name.
    """
    if name in _OFFERED:
        raise SpecError("two iterators of one name", expected="another name", got=repr(name))
    _OFFERED[name] = iterator
    try:
        yield
    finally:
        del _OFFERED[name]


def __getattr__(name: str) -> Any:
    """`BatchLayer`, made when Caffe asks for it: a `caffe.Layer` that gives the batches of an offered iterator.

    It goes on from epoch to epoch; the iterator's state tells where it is.

    Raises:
        DataError: Of `forward`: the iterator's epochs are over.
        SpecError: Of the net's making: no iterator of this name is offered.
    """
    if name != "BatchLayer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import caffe

    class BatchLayer(caffe.Layer):
        def setup(self, bottom: Any, top: Any) -> None:
            params = json.loads(self.param_str or "{}")
            self._iterator, self._scale = _find(params.get("iterator", "train")), params.get("scale", 1.0)
            self._batches = arrays(self._iterator)
            height, width, channels = self._iterator.options.shape
            top[0].reshape(self._iterator.options.batch_size, channels, height, width)
            top[1].reshape(self._iterator.options.batch_size)

        def reshape(self, bottom: Any, top: Any) -> None:
            """Nothing: the size of a batch is known in `forward`, before the layers above are reshaped."""

        def forward(self, bottom: Any, top: Any) -> None:
            fill(top[0], top[1], *self._next(), self._scale)

        def _next(self) -> tuple[np.ndarray, np.ndarray]:
            for _ in range(2):
                for batch in self._batches:
                    return batch
                self._batches = arrays(self._iterator)
            raise DataError("the iterator has no more epochs", got=self._iterator.get_state())

        def backward(self, top: Any, propagate_down: Any, bottom: Any) -> None:
            """Nothing: pixels have no gradient."""

    globals()[name] = BatchLayer
    return BatchLayer


def _find(name: str) -> BatchIterator:
    if name not in _OFFERED:
        raise SpecError(
            f"no iterator is offered as {name!r}", expected=" | ".join(_OFFERED) or "one that is offered",
            fix="make the net within `with offered(iterator, name):`",
        )  # fmt: skip
    return _OFFERED[name]
