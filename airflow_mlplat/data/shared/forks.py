"""How often this process was forked: pages of a map that nobody has touched follow the file, in the child too."""

from __future__ import annotations

import os
from functools import cache


@cache
def _counted() -> list[int]:
    """One element for each fork since the first call."""
    found: list[int] = []
    os.register_at_fork(before=lambda: found.append(len(found)))
    return found


def forks() -> int:
    """Forks since this was first called; those by `subprocess` share no memory, and do not count."""
    return len(_counted())
