"""What the header of a .npy file says, without `numpy.lib.format`.

That asks Python's own parser, which in CPython 3.11 counts for all threads together how deep it is: where the garbage
collector lets another thread parse meanwhile, one of them ends with SystemError (python/cpython#106905).
"""

from __future__ import annotations

import re

import numpy as np

_HEADER = re.compile(
    rb"\{'descr': ('[^']*'|\[[^\]]*\]), 'fortran_order': (True|False), 'shape': \(((?:\d+, ?)*\d*)\), \}\s*"
)
_FIELD = rb"\('(\w+)', '([^']*)'\)"
_RECORD = re.compile(rb"\[" + _FIELD + rb"(?:, " + _FIELD + rb")*\]")


def parsed(text: bytes) -> tuple[np.dtype, tuple[int, ...], bool] | None:
    """The header of an array of plain items or flat records, as numpy and most others write it (NEP 1).

    Args:
        text: All after its length.

    Returns:
        Type of the items, shape, and whether they are in Fortran's order; None where it is written otherwise.

    Raises:
        TypeError: There is no such type.
    """
    found = _HEADER.fullmatch(text)
    if found is None:
        return None
    descr, fortran, shape = found.groups()
    if descr.startswith(b"'"):
        dtype = np.dtype(descr[1:-1].decode("latin1"))
    elif _RECORD.fullmatch(descr):
        dtype = np.dtype([(name.decode(), kind.decode("latin1")) for name, kind in re.findall(_FIELD, descr)])
    else:
        return None
    return dtype, tuple(int(side) for side in shape.split(b",") if side.strip()), fortran == b"True"
