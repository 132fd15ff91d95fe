"""Train a model on a dataset version."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.launchers.process import check_workers
from airflow_mlplat.operators.job import JobOperator
from airflow_mlplat.operators.task import as_ref, task_errors, whole_number

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrainOperator(JobOperator):
    """Train what a build file builds. Returns the model's reference.

    Args:
        dataset: Output of a `BuildDatasetOperator`, or a dataset's name. (templated)
        build: Python file with `build(params)`; a relative path starts at the DAG file. (templated)
        framework: `tensorflow`, `mxnet` or `caffe`. (templated)
        model: Name of the model; default: the dataset's. (templated)
        options: Fields of `TrainOptions`: `epochs`, `batch_size`, `learning_rate`, `shape`, … (templated)
        workers: How many containers train the model together, each on its share of every batch; `limits` are those
            of each. (templated)
    """

    template_fields = (*JobOperator.template_fields, "dataset", "build", "framework", "model", "options", "workers")

    def __init__(
        self,
        *,
        dataset: Any,
        build: str,
        framework: str,
        model: str | None = None,
        options: Mapping[str, Any] | None = None,
        workers: int | str = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.build = build
        self.framework = framework
        self.model = model
        self.options = options
        self.workers = workers

    def execute(self, context: Context) -> dict[str, Any]:
        """See `JobOperator.execute`; what processes cannot do is told before a Python for them is looked for."""
        with task_errors():
            workers = whole_number("workers", self.workers)
            if self.launcher == "process":
                check_workers(workers)
        return super().execute(context)

    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The `train` stage on the dataset with the stored build file."""
        dataset = as_ref(self.dataset, "dataset", hook, partition)
        return hook.spec(
            "train",
            self.model or dataset.name,
            where=self.where,
            params=dict(self.options or {}),
            inputs={"dataset": [dataset]},
            files={"build.py": hook.put_build_file(Path(self.dag.fileloc).parent / self.build)},
            framework=self.framework,
            workers=whole_number("workers", self.workers),
        )
