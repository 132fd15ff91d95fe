"""Batches as JAX arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_mlplat.data.adapters import numpy
from airflow_mlplat.data.iterator import BatchIterator


def arrays(iterator: BatchIterator, device: Any = None) -> Iterator[tuple[Any, Any]]:
    """Pairs of images, uint8 (n, height, width, channels), and labels, (n,), int64 with `jax_enable_x64`, else int32.

    The rest of one epoch; called again it gives the next one. On the CPU an array is the iterator's own memory where
    that begins at a multiple of 64 bytes, else a copy of it, as labels that become int32 always are. Copies to another
    device run while Python goes on.

    Args:
        iterator: Where the batches come from.
        device: A `jax.Device` or a sharding; None is JAX's default.
    """
    import jax

    for images, labels in numpy.arrays(iterator):
        # `jax.numpy.asarray` would copy in any case.
        yield jax.device_put(images, device), jax.device_put(labels, device)
