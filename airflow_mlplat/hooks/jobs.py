"""The store, the catalog and the launchers of this installation, behind one hook: all I/O that operators do.

Store and catalog are imported when a task first asks for them: DAG files, which Airflow parses all the time, never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk.bases.hook import BaseHook

from airflow_mlplat.contract import JobResult, JobSpec, Ref, check_name
from airflow_mlplat.errors import BuildError, CorruptionError, NotFoundError, SpecError
from airflow_mlplat.hooks.launchers import launcher
from airflow_mlplat.hooks.settings import Settings, load_settings
from airflow_mlplat.launchers import Handle, Limits, code_version
from airflow_mlplat.launchers.create import check_framework

if TYPE_CHECKING:
    from airflow_mlplat.catalog import Catalog, RunInfo
    from airflow_mlplat.launchers import Launcher
    from airflow_mlplat.store import Store


class Where(NamedTuple):
    """Where a job shall run.

    Args:
        launcher: Key of `LAUNCHERS`.
        limits: What it may use there.
    """

    launcher: str
    limits: Limits = Limits()


class JobHook(BaseHook):
    """One installation of the platform.

    Args:
        settings: Where things are; read from the environment when not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or load_settings()

    @cached_property
    def store(self) -> Store:
        """The store."""
        from airflow_mlplat.store import open_store

        return open_store(self.settings.store)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog, upgraded to this version's tables."""
        from airflow_mlplat.catalog import open_catalog

        return open_catalog(self.settings.catalog)

    def launcher(self, name: str) -> Launcher:
        """A launcher by name.

        Raises:
            SpecError: There is none of that name.
        """
        return launcher(name, self.settings)

    def spec(
        self,
        stage: str,
        name: str,
        *,
        where: Where,
        params: Mapping[str, Any],
        inputs: Mapping[str, Iterable[Ref]],
        files: Mapping[str, str] | None = None,
        framework: str | None = None,
        workers: int = 1,
    ) -> JobSpec:
        """A spec with this installation's store, and the launcher's code version and image, filled in.

        Raises:
            SpecError: The name, or the launcher's, is not one.
            ConfigError: The framework is unknown, or its environment, or image, is not there.
            LaunchError: The launcher's engine does not answer.
        """
        check_name(name)
        if framework is not None:
            check_framework(framework)  # else a container's image of that name would be looked for in a registry
        image = self.launcher(where.launcher).image(framework, where.limits)
        return JobSpec(
            stage=stage,
            name=name,
            store=self.store.url,
            code_version=image.code_version,
            image=image.digest,
            params=dict(params),
            inputs={role: list(refs) for role, refs in inputs.items()},
            files=dict(files or {}),
            framework=framework,
            workers=workers,
        )

    def check(self, spec: JobSpec) -> None:
        """Tell now what the job would tell of its options, which is what its spec alone shows.

        Raises:
            SpecError: One is wrong, as `stages.check` says.
        """
        from airflow_mlplat.stages.check import check_spec

        if spec.code_version == code_version():  # an image may have other code, which knows other options
            check_spec(spec)

    def put_build_file(self, path: str | Path) -> str:
        """Store a user's build file; returns its SHA-256.

        Raises:
            BuildError: There is no such file.
        """
        path = Path(path)
        if not path.is_file():
            raise BuildError(
                f"build file {str(path)!r} does not exist",
                got=f"working directory {Path.cwd()}",
                fix="give a path relative to the DAG file, or an absolute one",
            )
        return self.store.put_blob(path.read_bytes())

    def commit(self, launcher: Launcher, handle: Handle) -> JobResult:
        """The ended job's result; a success is in the store from now on, if the job could not put it there itself.

        Raises:
            JobDiedError: It ended without one.
            LimitError: It needs more memory than its limit.
            CorruptionError, NotFoundError, SpecError: It left what is no result of its spec; it will be started anew.
        """
        result, outbox = launcher.result(handle), launcher.outbox(handle)
        if outbox is None or result.error is not None:
            return result
        from airflow_mlplat.store import adopt

        try:
            return adopt(self.store, outbox, launcher.spec(handle), result)
        except (CorruptionError, NotFoundError, SpecError):  # not a store that fails now: the result is good then
            launcher.discard(handle)
            raise

    def record(self, spec: JobSpec, result: JobResult, run: RunInfo) -> None:
        """Enter a committed result, its outputs and their lineage into the catalog; idempotent."""
        documents = {ref.digest: self.store.manifest(ref) for ref in result.outputs.values()}
        self.catalog.record_job(spec, result, documents, run)

    def say_known(self, kind: str, name: str) -> str:
        """A hint for a name that nothing has yet, and an empty text for any other."""
        known = self.catalog.names(kind)
        return "" if name in known else f"No {kind} is named {name!r} yet; there are: {', '.join(known) or 'none'}."

    def missing_spans(self, dataset: str, partitions: list[str], committed_before: datetime | None = None) -> list[str]:
        """Those of the partitions (ascending days) that have no span yet, or had none at a time."""
        window = self.catalog.window(dataset, partitions[0], partitions[-1], committed_before)
        known = {row.partition for row in window}
        return [partition for partition in partitions if partition not in known]
