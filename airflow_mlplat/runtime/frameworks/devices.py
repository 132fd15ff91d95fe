"""What is said of the devices that a framework found."""

from __future__ import annotations

import logging

LOG = logging.getLogger("airflow_mlplat.runtime")


def warn_without_gpu(devices: int) -> None:
    """Say so where several GPUs were hoped for and there is none: it trains all the same, but no faster.

    Args:
        devices: That were asked for.
    """
    if devices > 1:
        LOG.warning(
            "devices is %d, and no GPU is seen: training on so many parts of the CPU, which is for tests and no "
            "faster. A container is given GPUs by limits gpu 'required'",
            devices,
        )
