"""The list that says how samples are augmented: checked, and in the one form that keys and lineage hold.

    [{"name": "flip", "probability": 0.5}, {"name": "pad_and_crop", "padding": 4}]

Imports no decoder: options of iterators are checked where nothing is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlplat.data.augment.geometry import LARGEST_SIDE
from airflow_mlplat.data.augment.operations import BATCH_OPERATIONS, OPERATIONS, Operation
from airflow_mlplat.errors import SpecError, did_you_mean


def check_augment(steps: Sequence[Mapping[str, Any]], shape: Sequence[int]) -> list[dict[str, Any]]:
    """The steps in canonical form: plain JSON, every parameter there, in the operation's own order.

    Args:
        steps: Mappings of `name` and the operation's parameters, in the order of their application.
        shape: (height, width, channels) of what the iterator gives, and so of the last step.

    Raises:
        SpecError: Says the step's number, from 1, its name, what was expected and what is there.
    """
    if not isinstance(steps, (list, tuple)):
        raise SpecError("augment must be a list of steps", expected='[{"name": …}, …]', got=repr(steps))
    if steps and max(shape[:2]) > LARGEST_SIDE:
        raise SpecError("images are too large to augment", expected=f"sides up to {LARGEST_SIDE}", got=tuple(shape))
    canonical = [_canonical(number, step) for number, step in enumerate(steps, 1)]
    for number, step in enumerate(canonical, 1):
        _check_place(number, step, canonical, shape)
    return canonical


def operation_of(step: Mapping[str, Any]) -> Operation:
    """The operation of a checked step."""
    return OPERATIONS.get(step["name"]) or BATCH_OPERATIONS[step["name"]]


def _canonical(number: int, step: Any) -> dict[str, Any]:
    if not isinstance(step, Mapping):
        raise SpecError(f"augment step {number} is no mapping", expected='{"name": …}', got=repr(step))
    known = {**OPERATIONS, **BATCH_OPERATIONS}
    name = step.get("name")
    if not isinstance(name, str) or name not in known:
        raise SpecError(
            f"augment step {number} names no operation", expected=" | ".join(known), got=repr(name),
            fix=did_you_mean([name], known),
        )  # fmt: skip
    parameters = known[name].parameters
    unknown = [key for key in step if key != "name" and key not in parameters]
    if unknown:
        raise SpecError(
            f"augment step {number} ({name}) has no such parameter", expected=" | ".join(parameters),
            got=" | ".join(map(repr, unknown)), fix=did_you_mean(unknown, parameters),
        )  # fmt: skip
    filled: dict[str, Any] = {"name": name}
    for key, parameter in parameters.items():
        value = step.get(key, parameter.default)
        filled[key] = parameter.canonical(value)
        if filled[key] is None:
            got = repr(value) if key in step else "nothing"
            raise SpecError(f"augment step {number} ({name}): wrong {key}", expected=parameter.expected, got=got)
    return filled


def _check_place(number: int, step: dict[str, Any], steps: list[dict[str, Any]], shape: Sequence[int]) -> None:
    """Whether the step may stand where it does, and leads to the shape."""
    name = step["name"]
    if operation_of(step).whole and number > 1:
        raise SpecError(
            f"augment step {number} ({name}) takes the whole image", expected="it as step 1", got=f"step {number}",
            fix="put it first: images are brought to the shape before all other steps",
        )  # fmt: skip
    if name in BATCH_OPERATIONS and number < len(steps):
        raise SpecError(
            f"augment step {number} ({name}) works on whole batches", expected="it as the last step, and only one such",
            got=f"step {number + 1} ({steps[number]['name']}) after it",
        )  # fmt: skip
    if name == "crop" and (step["height"], step["width"]) != tuple(shape[:2]):
        raise SpecError(
            f"augment step {number} ({name}) gives another size than the iterator's shape",
            expected=f"height {shape[0]}, width {shape[1]}", got=f"height {step['height']}, width {step['width']}",
            fix="use resized_crop for a window of another size, or change the shape",
        )  # fmt: skip
