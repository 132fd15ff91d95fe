"""Seeds of all generators, for what is random in a stretch of a training."""

from __future__ import annotations

import hashlib


def mixed_seed(seed: int, stretch: int, rank: int = 0) -> int:
    """What follows from these numbers alone, and is another one for any other of them.

    Args:
        seed: Of the options.
        stretch: Which part of the training it is for.
        rank: Of the worker; workers draw other noise for other samples.

    Returns:
        0 … 2**31 - 1, which fits into a C int.
    """
    text = f"{seed} {stretch} {rank}" if rank else f"{seed} {stretch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
