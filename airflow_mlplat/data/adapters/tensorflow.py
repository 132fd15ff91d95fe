"""Batches as a `tf.data.Dataset`."""

from __future__ import annotations

from typing import Any

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator


def dataset(iterator: BatchIterator, shape: tuple[int, int, int]) -> Any:
    """A `tf.data.Dataset` of the iterator's batches.

    Args:
        iterator: Where the batches come from; each pass over the dataset goes on where the last one ended.
        shape: (height, width, channels), as in the iterator's options.

    Returns:
        Elements (uint8 (n, height, width, channels), int64 (n,)).
    """
    import tensorflow as tf

    signature = (tf.TensorSpec((None, *shape), tf.uint8), tf.TensorSpec((None,), tf.int64))
    return tf.data.Dataset.from_generator(lambda: arrays(iterator), output_signature=signature)
