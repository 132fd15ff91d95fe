"""How often this process was forked: pages of a map that nobody has touched follow the file, in the child too."""

from __future__ import annotations

import os
from functools import cache


@cache
def _counted() -> list[int]:
    """Two elements for each fork since the first call: other threads go on between them."""
    found: list[int] = []
    os.register_at_fork(before=lambda: found.append(0), after_in_parent=lambda: found.append(0))
    return found


def forks() -> int:
    """A number that is another one after a fork; those by `subprocess` share no memory, and do not count."""
    return len(_counted())
