"""What is in a slot's file, and how a consumer reads it."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.data.augment import Mixed
from airflow_mlplat.data.batch import Batch
from airflow_mlplat.data.shared.protocol import ProtocolError

NAME = re.compile(r"slot-[0-9a-f]{8}-\d+")
"""Of a slot's file: which server's, and which of its slots."""
_DTYPES = ("|u1", "<i4", "<i8", "<f4", "<f8")
ARRAYS, MIXED = ("images", "labels", "rows"), ("partners", "shares")
"""Those of a batch, in the file's order; and those of one whose images were mixed, after them."""


def read(folder: Path, told: dict[str, Any]) -> tuple[Batch, mmap.mmap]:
    """A batch that a server tells of, without a copy: private pages, the reader's own to change.

    Args:
        folder: Where the slots lie.
        told: A `batch` message.

    Returns:
        The batch, and what its arrays lie in, which lives as long as any of them or of their views.

    Raises:
        ProtocolError: The message does not describe a batch in that file.
        OSError: The file cannot be mapped.
    """
    if not NAME.fullmatch(told["file"]):
        raise ProtocolError("that is no slot", expected=NAME.pattern, got=repr(told["file"]))
    descriptor = os.open(f"{folder}/{told['file']}", os.O_RDONLY | os.O_NOFOLLOW)
    try:
        mapped = mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    except ValueError as error:  # an empty file
        raise ProtocolError("slot is empty", got=told["file"]) from error
    finally:
        os.close(descriptor)
    try:
        arrays = {name: _array(mapped, *place) for name, place in told["arrays"].items()}
        mixed = Mixed(arrays["images"], *(arrays.pop(name) for name in MIXED)) if len(arrays) > len(ARRAYS) else None
        return Batch(**arrays, epoch=told["epoch"], position=told["position"], mixed=mixed), mapped
    except (TypeError, ValueError, KeyError) as error:
        raise ProtocolError("message describes no batch", got=f"{told['arrays']!r}: {error}") from error


def copied(batch: Batch) -> Batch:
    """The batch in ordinary memory."""
    images, mixed = batch.images.copy(), batch.mixed
    if mixed is not None:
        mixed = Mixed(images, mixed.partners.copy(), mixed.shares.copy())
    return Batch(images, batch.labels.copy(), batch.rows.copy(), batch.epoch, batch.position, mixed)


def _array(mapped: mmap.mmap, dtype: str, shape: list[int], offset: int) -> np.ndarray:
    if dtype not in _DTYPES:
        raise ValueError(f"dtype {dtype!r}")
    return np.ndarray(tuple(shape), np.dtype(dtype), mapped, offset)  # ValueError if it ends after the file
