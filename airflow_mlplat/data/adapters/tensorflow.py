"""Batches as a `tf.data.Dataset`."""

from __future__ import annotations

from typing import Any

from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator


def dataset(iterator: BatchIterator) -> Any:
    """A `tf.data.Dataset` of the iterator's batches.

    Each pass over it is the rest of one epoch, as `fit(dataset, epochs=n)` wants it; its epochs are the iterator's.
    The iterator decodes ahead itself: leave out `prefetch`, else its state counts what TensorFlow has fetched.

    Args:
        iterator: Where the batches come from.

    Returns:
        Elements (uint8 (n, height, width, channels), int64 (n,)); n is static with `drop_remainder`.
    """
    import tensorflow as tf

    options = iterator.options
    size = options.batch_size if options.drop_remainder else None
    signature = (tf.TensorSpec((size, *options.shape), tf.uint8), tf.TensorSpec((size,), tf.int64))
    own = tf.data.Options()
    own.experimental_optimization.inject_prefetch = False  # TensorFlow would add one, see above
    return tf.data.Dataset.from_generator(lambda: arrays(iterator), output_signature=signature).with_options(own)
