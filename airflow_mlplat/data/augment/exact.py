"""Elementary functions that give the same bits on every machine, which no C library promises of its own.

Python's own + - * / on floats are IEEE 754 operations, each rounded by itself, so whatever is made of nothing else is
the same everywhere. Precise to some 14 digits, and fast enough for a few calls for each sample.
"""

from __future__ import annotations

import math

_LN2 = 0.6931471805599453
_EXP = [1.0 / math.factorial(k) for k in range(14, -1, -1)]
_COS = [(-1.0) ** k / math.factorial(2 * k) for k in range(15, -1, -1)]
_SIN = [(-1.0) ** k / math.factorial(2 * k + 1) for k in range(15, -1, -1)]
_LOG = [1.0 / (2 * k + 1) for k in range(11, -1, -1)]


def exp(x: float) -> float:
    """e to the power of x, x in [-700, 700]."""
    k = math.floor(x / _LN2 + 0.5)
    return math.ldexp(_polynomial(_EXP, x - k * _LN2), k)


def log(x: float) -> float:
    """The natural logarithm of a positive number."""
    mantissa, exponent = math.frexp(x)
    if mantissa < 0.7071067811865476:
        mantissa, exponent = mantissa * 2, exponent - 1
    s = (mantissa - 1) / (mantissa + 1)  # log(m) = 2 artanh(s), |s| < 0.18
    return 2 * s * _polynomial(_LOG, s * s) + exponent * _LN2


def cosine(degrees: float) -> float:
    """Of an angle in [-180, 180]."""
    radians = degrees * (math.pi / 180)
    return _polynomial(_COS, radians * radians)


def sine(degrees: float) -> float:
    """Of an angle in [-180, 180]."""
    radians = degrees * (math.pi / 180)
    return radians * _polynomial(_SIN, radians * radians)


def _polynomial(coefficients: list[float], x: float) -> float:
    """By Horner's rule; the highest power's coefficient comes first."""
    total = 0.0
    for coefficient in coefficients:
        total = total * x + coefficient
    return total
