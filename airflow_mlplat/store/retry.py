"""Calls over a network, repeated while what failed may pass."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

PAUSE_SECONDS = 0.1
"""Before the second attempt; four times as long before each further one."""

Result = TypeVar("Result")


def repeated(call: Callable[[], Result], may_pass: Callable[[Exception], bool], attempts: int) -> Result:
    """The call's result.

    Args:
        call: May be called several times.
        may_pass: Of what it raised: whether another attempt may succeed.
        attempts: At most so many calls, 1 or more.

    Raises:
        Exception: What the last call raised.
    """
    pause = PAUSE_SECONDS
    for _ in range(attempts - 1):
        try:
            return call()
        except Exception as error:
            if not may_pass(error):
                raise
        time.sleep(pause)
        pause *= 4
    return call()
