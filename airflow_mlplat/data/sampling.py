"""How samples are drawn when not each comes once in an epoch: what may be asked for, and the mix that it stands for.

    {"classes": "balanced"}               every class equally often
    {"classes": {"cat": 1, "dog": 3}}     classes in these proportions; one that is not named never
    {"newest_span": 0.5}                  half of all draws from the newest span, the rest from the older ones: replay

An epoch still has as many positions as there are samples. Samples without a label belong to no class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_mlplat.data.mix import Mix
from airflow_mlplat.errors import DataError, SpecError

if TYPE_CHECKING:
    from airflow_mlplat.data.source import SampleSource

BALANCED = "balanced"
_EXPECTED = '{"classes": "balanced"} | {"classes": {name: weight}} | {"newest_span": share between 0 and 1}'


def check_sampling(sampling: Any) -> None:
    """Raise a SpecError unless it is None or one of the forms above."""
    if sampling is None:
        return
    if not isinstance(sampling, Mapping) or len(sampling) != 1 or not set(sampling) <= set(_MIXES):
        raise SpecError("sampling is not known", expected=_EXPECTED, got=repr(sampling))
    ((kind, value),) = sampling.items()
    right = _is_share(value) if kind == "newest_span" else value == BALANCED or _are_weights(value)
    if not right:
        raise SpecError(f"sampling by {kind} is wrong", expected=_EXPECTED, got=repr(value))


def mix_of(samples: SampleSource, sampling: Mapping[str, Any]) -> Mix:
    """The mix of samples that a checked form stands for.

    Raises:
        SpecError: It names a class that is not known.
        DataError: A class that is named has no samples.
    """
    ((kind, value),) = sampling.items()
    return _MIXES[kind](samples, value)


def _by_class(samples: SampleSource, weights: Any) -> Mix:
    labels = samples.labels_at(np.arange(len(samples), dtype=np.int64))
    names = samples.classes
    if weights == BALANCED:
        counts = np.bincount(labels[labels >= 0], minlength=len(names))
        weights = {name: 1 for name, count in zip(names, counts.tolist()) if count}
        if not weights:
            raise DataError(f"{samples.ref} has no labelled samples to balance")
    unknown = sorted(set(weights) - set(names))
    if unknown:
        raise SpecError(f"sampling names unknown classes of {samples.ref}", expected=names, got=unknown)
    named = [name for name in names if name in weights]  # in one order, however the weights are written down
    groups = [np.flatnonzero(labels == names.index(name)) for name in named]
    for name, rows in zip(named, groups):
        if not len(rows):
            raise DataError(f"{samples.ref} has no samples of class {name!r}, which sampling names")
    return Mix(groups, [weights[name] for name in named], len(samples))


def _newest_span(samples: SampleSource, share: float) -> Mix:
    ends = [0, *samples.span_ends.tolist()]
    first, n = ends[-2], len(samples)
    if first == n:
        raise DataError(f"the newest span of {samples.ref} has no samples to draw from", expected="1 or more", got=0)
    if not first:  # the first day has nothing to replay
        return Mix([np.arange(n)], [1], n)
    return Mix([np.arange(first, n), np.arange(first)], [share, 1 - share], n)


_MIXES = {"classes": _by_class, "newest_span": _newest_span}


def _is_share(value: Any) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _are_weights(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(k, str) and _is_weight(v) for k, v in value.items())
    )


def _is_weight(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
