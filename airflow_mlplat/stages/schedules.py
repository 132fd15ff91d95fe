"""How the learning rate goes on: the factor on it, by the share of training that is done."""

from __future__ import annotations

import math


def constant(done: float) -> float:
    """Always 1."""
    return 1.0


def cosine(done: float) -> float:
    """From 1 down to 0 along half a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * done))


SCHEDULES = {"constant": constant, "cosine": cosine}
