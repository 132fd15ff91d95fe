"""Every operation by its name, with what its parameters may be.

Bytes must not depend on the machine, so of OpenCV they use only such functions, with such arguments, as compute in
whole numbers, or in floats that hold every intermediate result exactly: which vector instructions a machine has then
does not show. `warpAffine`, cubic resizing and conversions of colours by floats are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.data.augment import colour, geometry, mix, noise
from airflow_mlplat.data.augment.parameters import Choice, Interval, Number, Parameter, Whole
from airflow_mlplat.data.augment.windows import FILLS


@dataclass(frozen=True)
class Operation:
    """One thing that can be done to a sample or to a batch.

    Args:
        apply: On a sample: (uint8 (H, W, C), Draws, parameters by name) → uint8. On a batch: see `mix`.
        parameters: By name. On a sample `probability` is not given to `apply`: it decides whether it is called.
        whole: It takes the whole decoded image, and the size that it makes of it as `height` and `width`; so it
            can only stand first.
        opencv: It needs OpenCV, whatever its parameters.
    """

    apply: Callable[..., Any]
    parameters: Mapping[str, Parameter]
    whole: bool = False
    opencv: bool = True


def _chance(default: float) -> Number:
    return Number(0, 1, default)


_SIDE = Whole(1, geometry.LARGEST_SIDE)
_FILL = Choice(FILLS, "zero")

OPERATIONS: dict[str, Operation] = {
    "flip": Operation(
        geometry.flip, {"probability": _chance(0.5), "axis": Choice(geometry.AXES, "horizontal")},
    ),
    "crop": Operation(geometry.crop, {"height": _SIDE, "width": _SIDE}, whole=True, opencv=False),
    "resized_crop": Operation(
        geometry.resized_crop,
        {"area": Interval(0.0001, 1, (0.08, 1.0)), "aspect": Interval(0.01, 100, (0.75, 4 / 3))},
        whole=True,
    ),
    "pad_and_crop": Operation(
        geometry.pad_and_crop,
        {"probability": _chance(1.0), "padding": Whole(0, 1024), "fill": _FILL},
        opencv=False,
    ),
    "rotate": Operation(geometry.rotate, {"probability": _chance(1.0), "degrees": Number(0, 180), "fill": _FILL}),
    "translate": Operation(
        geometry.translate, {"probability": _chance(1.0), "share": Number(0, 1), "fill": _FILL}, opencv=False
    ),
    "colour": Operation(
        colour.colour,
        {
            "probability": _chance(1.0),
            "brightness": Number(0, 1, 0.0),
            "contrast": Number(0, 1, 0.0),
            "saturation": Number(0, 1, 0.0),
            "hue": Number(0, 180, 0.0),
        },
    ),
    "blur": Operation(noise.blur, {"probability": _chance(1.0), "sigma": Interval(0.01, 20, (0.1, 2.0))}),
    "noise": Operation(noise.noise, {"probability": _chance(1.0), "sigma": Interval(0, 255)}),
    "erase": Operation(
        noise.erase,
        {
            "probability": _chance(0.5),
            "area": Interval(0.0001, 1, (0.02, 0.4)),
            "aspect": Interval(0.01, 100, (0.3, 1 / 0.3)),
            "fill": Choice(noise.ERASED, "noise"),
        },
        opencv=False,
    ),
}  # fmt: skip
"""On one sample."""

BATCH_OPERATIONS: dict[str, Operation] = {
    "mixup": Operation(mix.mixup, {"probability": _chance(1.0), "alpha": Number(0.01, 100, 0.2)}),
    "cutmix": Operation(mix.cutmix, {"probability": _chance(1.0), "alpha": Number(0.01, 100, 1.0)}, opencv=False),
}
"""On a whole batch."""
