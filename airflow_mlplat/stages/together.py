"""What several workers and devices can train together."""

from __future__ import annotations

from airflow_mlplat.data import Subset
from airflow_mlplat.errors import DataError, SpecError
from airflow_mlplat.stages.options import TrainOptions


def check_together(options: TrainOptions, framework: str | None, workers: int) -> None:
    """Whether the options go with a framework and so many workers.

    Raises:
        SpecError: One does not.
    """
    if framework == "caffe":
        for name, only, got in (
            ("workers", 1, workers),
            ("devices", 1, options.devices),
            ("precision", "float32", options.precision),
        ):
            if got != only:
                raise SpecError(f"{name} is for tensorflow and mxnet", expected=f"{only} with caffe", got=got)
    parts = workers * options.devices
    if options.batch_size % parts:
        raise SpecError(
            f"batch_size is that of all {_who(options, workers)} together",
            expected=f"a multiple of {parts}",
            got=options.batch_size,
        )
    if workers > 1 and options.shared_by > 1:
        raise SpecError("several workers share no batches", expected="shared_by 1", got=options.shared_by)


def check_enough(options: TrainOptions, workers: int, training: Subset) -> None:
    """Whether there are samples for all.

    Raises:
        DataError: There are fewer than a batch has.
    """
    if workers * options.devices > 1 and len(training) < options.batch_size:
        raise DataError(
            f"{training.ref} has too few samples for {_who(options, workers)}",
            expected=f"a batch of {options.batch_size}", got=len(training), fix="lower batch_size",
        )  # fmt: skip


def _who(options: TrainOptions, workers: int) -> str:
    if options.devices == 1:
        return f"{workers} workers"
    return f"{options.devices} devices" if workers == 1 else f"{workers} workers with {options.devices} devices each"
