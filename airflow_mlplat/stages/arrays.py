"""Named arrays as one .npz file (numpy.load reads it) whose bytes depend on nothing but the arrays."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.store import npy_bytes

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that zip can say; a file's real date would change its digest."""


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Named arrays as an uncompressed .npz file."""
    return zip_bytes({f"{name}.npy": npy_bytes(array) for name, array in arrays.items()})


def read_npz(content: bytes, what: str) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, in its order.

    Args:
        content: The file.
        what: Its name, for the error.

    Raises:
        CorruptionError: Not a whole .npz file.
    """
    try:
        # Not by numpy's own reader: of a broken file it leaves an object that complains when it is collected.
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return {name[: -len(".npy")]: _array(file.read(name)) for name in file.namelist()}
    except (ValueError, OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        # RuntimeError: a damaged directory may ask for a password, or for a method that zipfile does not know.
        raise CorruptionError(f"{what} is not a whole .npz file", got=error) from error


def _array(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content), allow_pickle=False)


def zip_bytes(members: dict[str, bytes]) -> bytes:
    """A zip file without compression and with fixed dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name, _DATE), content)
    return buffer.getvalue()


def unzip(path: Path) -> dict[str, bytes]:
    """The members of a zip file, in its order."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}
