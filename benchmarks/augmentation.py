"""The four augmentations of the mode `augmented`: what is often done to photos of this size."""

from __future__ import annotations

from typing import Any

STEPS: tuple[dict[str, Any], ...] = (
    {"name": "flip"},
    {"name": "pad_and_crop", "padding": 16},
    {"name": "colour", "brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    {"name": "erase"},
)
