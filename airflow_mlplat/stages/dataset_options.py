"""The options of building a dataset version."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.params import FromParams


@dataclass(frozen=True)
class DatasetOptions(FromParams):
    """How a dataset version is built.

    Args:
        classes: Names of the classes, in the order of the labels; None takes the spans'. Samples of other classes
            are dropped and count as bad.
        max_bad_fraction: Share of samples that may be bad, 0 to 1.
    """

    classes: tuple[str, ...] | None = None
    max_bad_fraction: float = 0.01

    def __post_init__(self) -> None:
        if self.classes is not None:
            named = isinstance(self.classes, (list, tuple)) and all(isinstance(name, str) for name in self.classes)
            if not named or not self.classes or len(set(self.classes)) != len(self.classes):
                raise SpecError("classes must be a list of different names", got=repr(self.classes))
            object.__setattr__(self, "classes", tuple(self.classes))
        fraction = self.max_bad_fraction
        if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 <= fraction <= 1:
            raise SpecError("max_bad_fraction must be a share", expected="0 to 1", got=repr(fraction))
