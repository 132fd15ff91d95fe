"""How large an image may be."""

from __future__ import annotations

from airflow_mlplat.errors import DataError

MAX_PIXELS = 100_000_000
"""Of an image before it is resized, and of the shape that it is to have: more is a decompression bomb, or fills the
memory of a few threads."""


def check_size(sides: tuple[int, ...]) -> None:
    """Raise a DataError if an image of these sides, in pixels, is too large to be unpacked."""
    if sides[0] * sides[1] > MAX_PIXELS:
        raise DataError("image is too large", expected=f"at most {MAX_PIXELS} pixels", got=f"{sides[0]} x {sides[1]}")
