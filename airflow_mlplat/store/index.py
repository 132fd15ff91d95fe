"""The fixed-width sidecars of a shard, as .npy files whose bytes do not depend on the version of numpy."""

from __future__ import annotations

import math
import mmap
from typing import NamedTuple, Union

import numpy as np

from airflow_mlplat.errors import CorruptionError, SpecError
from airflow_mlplat.store.npy_header import parsed

Buffer = Union[bytes, mmap.mmap]

INDEX_DTYPE = np.dtype([("offset", "<u8"), ("size", "<u4"), ("crc32c", "<u4"), ("label", "<i8")])
"""One row a sample: where its media begin in the shard, their bytes, their CRC-32C, the label's class or -1."""

NO_LABEL = -1
_VERSION_1 = b"\x93NUMPY\x01\x00"


def keys_dtype(width: int) -> np.dtype:
    """One row a sample: the key in UTF-8, padded with NUL to `width` bytes, and the SHA-256 of the media."""
    return np.dtype([("key", f"S{width}"), ("sha256", "V32")])


def keys_rows(rows: list[tuple[bytes, bytes]]) -> np.ndarray:
    """The keys file's rows of (key, sha256) pairs, as wide as the longest key: (n,) of `keys_dtype`."""
    array = np.empty(len(rows), keys_dtype(max((len(key) for key, _ in rows), default=1)))
    array["key"] = [key for key, _ in rows]
    array["sha256"] = np.frombuffer(b"".join(sha256 for _, sha256 in rows), "V32")
    return array


def npy_bytes(array: np.ndarray) -> bytes:
    """An array as a version 1.0 .npy file, the same bytes from every numpy (NEP 1; numpy.load reads it).

    Written by hand because `numpy.lib.format` pads its header differently since numpy 1.23.

    Raises:
        SpecError: An array of Python objects, or of nested records.
    """
    dtype = _packed(array.dtype)
    array = np.asarray(array).astype(dtype, order="C", copy=False)
    shape = ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "")
    text = f"{{'descr': {_descr(dtype)}, 'fortran_order': False, 'shape': ({shape}), }}".encode("latin1")
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    return _VERSION_1 + len(text).to_bytes(2, "little") + text + array.tobytes()


def _packed(dtype: np.dtype) -> np.dtype:
    """The same, little-endian and without gaps between its fields."""
    fields = [dtype] if dtype.names is None else [dtype[name] for name in dtype.names]
    if any(field.hasobject or field.names or field.shape for field in fields if field is not dtype) or dtype.hasobject:
        raise SpecError("array of a type that is not stored", expected="plain items or flat records", got=dtype)
    if dtype.names is None:
        return dtype.newbyteorder("<")
    return np.dtype([(name, dtype[name].newbyteorder("<")) for name in dtype.names])


def _descr(dtype: np.dtype) -> str:
    if dtype.names is None:
        return repr(dtype.str)
    return "[" + ", ".join(f"({name!r}, {dtype[name].str!r})" for name in dtype.names) + "]"


def read_npy(content: bytes, path: str) -> np.ndarray:
    """The array of a .npy file that `npy_bytes` wrote, read-only: a view of it.

    Raises:
        CorruptionError: Not such a file.
    """
    head = npy_head(content, path, len(content))
    try:
        return head.array(content)
    except ValueError as error:  # such as items of no bytes
        raise CorruptionError(f"{path} is not an array", got=error) from error


class NpyHead(NamedTuple):
    """What the head of a .npy file says.

    Args:
        dtype: Of the items.
        shape: Of the array.
        start: Where the items begin, in bytes.
    """

    dtype: np.dtype
    shape: tuple[int, ...]
    start: int

    def array(self, buffer: Buffer) -> np.ndarray:
        """The array that lies in a whole file's bytes, in C order: a view of them, read-only."""
        count = math.prod(self.shape)
        flat = np.frombuffer(buffer, self.dtype, count, self.start) if count else np.empty(0, self.dtype)
        array = flat.reshape(self.shape)
        array.flags.writeable = False
        return array


def npy_head(buffer: Buffer, path: str, size: int) -> NpyHead:
    """The head of a .npy file of version 1.0.

    Args:
        buffer: The file's first bytes.
        path: For the message.
        size: Of the file, in bytes.

    Raises:
        CorruptionError: Not such a file, or one that is shorter than its head says.
    """
    start = 10 + int.from_bytes(buffer[8:10], "little")  # NEP 1: magic, version, then the length of the rest
    try:
        found = parsed(buffer[10:start]) if buffer[:8] == _VERSION_1 else None
        if found is None:
            raise ValueError(repr(buffer[:start]))
        dtype, shape, fortran = found
        if fortran or dtype.hasobject or start + dtype.itemsize * math.prod(shape) > size:
            raise ValueError(f"{size} bytes for {shape} of {dtype}")
    except (ValueError, TypeError) as error:
        raise CorruptionError(f"{path} is not an array", got=error) from error
    return NpyHead(dtype, shape, start)
