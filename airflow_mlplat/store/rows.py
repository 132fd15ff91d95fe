"""Which samples are asked for."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.errors import SpecError


def row_numbers(rows: np.ndarray, n: int) -> np.ndarray:
    """Rows as int64 (m,).

    Args:
        rows: (m,) of any whole numbers, each in [0, n).
        n: How many samples there are.

    Raises:
        SpecError: They are no list of whole numbers.
        IndexError: There is no such row.
    """
    given = np.asarray(rows)
    if given.ndim != 1 or (len(given) and given.dtype.kind not in "iu"):
        raise SpecError("rows are no list of whole numbers", expected="int64 (m,)", got=f"{given.dtype} {given.shape}")
    found = given.astype(np.int64)
    for row in (found.min(), found.max()) if len(found) else ():
        if not 0 <= row < n:
            raise IndexError(f"row {row} of {n} samples")
    return found
