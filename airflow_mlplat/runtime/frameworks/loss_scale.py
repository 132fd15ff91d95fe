"""What a loss is multiplied by, so that small gradients of it are not lost in float16."""

from __future__ import annotations

import numpy as np

START = 2.0**15
GROW_STEPS = 2000
"""As in Micikevicius et al. 2018, "Mixed precision training", and in the frameworks' own scalers."""


class LossScale:
    """A factor that is doubled after many good steps, and halved where gradients overflow: that step is left out."""

    def __init__(self) -> None:
        self.value, self._good = START, 0

    def update(self, finite: bool) -> None:
        """Count a step, by whether all its gradients were finite."""
        self._good = self._good + 1 if finite else 0
        if not finite:
            self.value = max(1.0, self.value / 2)
        elif self._good == GROW_STEPS:
            self.value, self._good = self.value * 2, 0

    def state(self) -> np.ndarray:
        """All that later steps depend on: float64 (2,)."""
        return np.array([self.value, self._good], np.float64)

    def load(self, state: np.ndarray) -> None:
        """Go on from a `state`."""
        self.value, self._good = float(state[0]), int(state[1])
