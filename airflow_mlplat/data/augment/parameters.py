"""What an operation's parameters may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Union


@dataclass(frozen=True)
class Number:
    """A float in [low, high]; without a default it must be given."""

    low: float
    high: float
    default: Optional[float] = None

    @property
    def expected(self) -> str:
        return f"a number {self.low:g} … {self.high:g}"

    def canonical(self, value: Any) -> Any:
        """The value as JSON holds it, or None if it is not one."""
        fits = _is_number(value) and self.low <= value <= self.high
        return float(value) if fits else None


@dataclass(frozen=True)
class Whole:
    """An integer in [low, high]."""

    low: int
    high: int
    default: Optional[int] = None

    @property
    def expected(self) -> str:
        return f"a whole number {self.low} … {self.high}"

    def canonical(self, value: Any) -> Any:
        """The value as JSON holds it, or None if it is not one."""
        fits = isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high
        return value if fits else None


@dataclass(frozen=True)
class Interval:
    """Two floats in [low, high], the first not above the second: a draw lies between them."""

    low: float
    high: float
    default: Optional[tuple[float, float]] = None

    @property
    def expected(self) -> str:
        return f"[from, to], {self.low:g} … {self.high:g}"

    def canonical(self, value: Any) -> Any:
        """The value as JSON holds it, or None if it is not one."""
        fits = isinstance(value, (list, tuple)) and len(value) == 2 and all(_is_number(end) for end in value)
        fits = fits and self.low <= value[0] <= value[1] <= self.high
        return [float(end) for end in value] if fits else None


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    default: Optional[str] = None

    @property
    def expected(self) -> str:
        return " | ".join(self.words)

    def canonical(self, value: Any) -> Any:
        """The value as JSON holds it, or None if it is not one."""
        return value if isinstance(value, str) and value in self.words else None


Parameter = Union[Number, Whole, Interval, Choice]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
