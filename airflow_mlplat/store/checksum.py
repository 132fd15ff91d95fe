"""CRC-32C, the checksum of one sample: RFC 3720 (iSCSI), appendix B.4; polynomial 0x1EDC6F41, reflected."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

POLYNOMIAL = 0x82F63B78
"""0x1EDC6F41 with its bits reversed."""


def crc32c(content: bytes) -> int:
    """CRC-32C of bytes: an int of 32 bits. By google_crc32c, or where that is absent in Python, 1000 times slower."""
    return implementation()(content)


@lru_cache(maxsize=1)
def implementation() -> Callable[[bytes], int]:
    """What `crc32c` calls: to be asked for once by who calls it for every sample."""
    try:
        import google_crc32c
    except ImportError:
        return crc32c_python
    return google_crc32c.value if google_crc32c.implementation == "c" else crc32c_python


def agreeing(contents: Iterator[bytes], sums: np.ndarray | None) -> Iterator[bytes | None]:
    """The contents, but None for each whose CRC-32C is not the one given: uint32 (m,); None for no comparison."""
    if sums is None:
        return contents
    sum_of = implementation()
    return (content if sum_of(content) == crc else None for content, crc in zip(contents, sums.tolist()))


def extension() -> Callable[[int, Any], int] | None:
    """What goes on from the checksum of what came before, of memory that is read-only; None where that is slow."""
    try:
        import google_crc32c
    except ImportError:
        return None
    return google_crc32c.extend if google_crc32c.implementation == "c" else None


@lru_cache(maxsize=1)
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


def crc32c_python(content: bytes) -> int:
    """The same by a table of 256 entries: what is used where google_crc32c is not installed."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
