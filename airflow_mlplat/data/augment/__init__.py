"""Augmentation: a declarative list of operations; the bytes depend on seed, epoch and sample alone. Import is cheap.

The list is in the job's spec, and so in its lineage: `replay` gives what a training saw of any sample. Every
operation with its parameters: OPERATIONS.md.
"""

from airflow_mlplat.data.augment.compose import Augmentation, replay
from airflow_mlplat.data.augment.draws import Draws
from airflow_mlplat.data.augment.mix import Mixed
from airflow_mlplat.data.augment.operations import BATCH_OPERATIONS, OPERATIONS
from airflow_mlplat.data.augment.spec import check_augment

__all__ = ["BATCH_OPERATIONS", "OPERATIONS", "Augmentation", "Draws", "Mixed", "check_augment", "replay"]
