"""Run the stage that a spec names, and leave its result: in the store, and as result.json beside the spec.

Of a job's several workers only worker 0 puts anything into the store; each has a result.json of its own.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import OUTBOX, RESULT_FILE, ExitCode, JobError, JobResult, JobSpec, digest
from airflow_mlplat.errors import BuildError, ConfigError, SpecError
from airflow_mlplat.runtime.process import Stopped, insist_on_sigterm, stopping

if TYPE_CHECKING:
    from airflow_mlplat.stages.workers import Workers

LOG = logging.getLogger("airflow_mlplat.runtime")


STOPPED = 128 + signal.SIGTERM
"""Exit code of a job that SIGTERM ended."""


def run_file(path: Path, stages: Mapping[str, Callable] | None = None) -> int:
    """Run the job of a spec file.

    Args:
        path: `spec.json` in the job's directory.
        stages: Name → stage, `stages.STAGES` when not given.

    Returns:
        How the process shall exit: an `ExitCode` when `result.json` is written, `STOPPED` when it is not.
    """
    try:
        return _run_file(path, stages)
    except Stopped as error:
        return error.code


def _run_file(path: Path, stages: Mapping[str, Callable] | None) -> int:
    document: Any = None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        spec = JobSpec.from_json(document)
    except Exception as error:  # whatever is wrong with the file belongs into the result
        return _finish(path.parent, _failed(*_identity(document, path), error))
    return run(spec, path.parent, stages)


def run(spec: JobSpec, directory: Path, stages: Mapping[str, Callable] | None = None) -> int:
    """Run a job, or take the result that the store has for its key.

    Args:
        spec: The work.
        directory: The job's own: for scratch and checkpoints, and where `result.json` goes.
        stages: Name → stage, `stages.STAGES` when not given.

    Returns:
        How the process shall exit, as `run_file` says.

    Raises:
        Stopped: SIGTERM came.
    """
    try:
        result = _run(spec, directory, stages)
    except SystemExit as error:
        result = _failed(spec.key, spec.stage, BuildError("the job's code called exit", got=f"code {error.code}"))
    except Exception as error:  # the boundary of the job: every failure becomes a result
        result = _failed(spec.key, spec.stage, error)
    if result.error is not None and stopping():  # it failed while it was ending, which is nobody's mistake
        LOG.warning("Failed while stopping\n%s", result.error.traceback)
        raise Stopped(STOPPED)
    return _finish(directory, result)


def _run(spec: JobSpec, directory: Path, stages: Mapping[str, Callable] | None) -> JobResult:
    from airflow_mlplat.runtime.host import host_cache, shard_reader
    from airflow_mlplat.runtime.workers import resolved, workers_of
    from airflow_mlplat.stages import STAGES, Job
    from airflow_mlplat.store import open_store

    stages = STAGES if stages is None else stages
    if spec.stage not in stages:
        raise SpecError("unknown stage", expected=" | ".join(sorted(stages)), got=repr(spec.stage))
    workers = workers_of(spec, os.environ)
    store = open_store(spec.store, os.environ.get(OUTBOX))
    committed = store.reusable_result(spec.key)
    if committed is not None:
        LOG.info("The store has the result of job %s already", spec.key[:12])
        return committed if workers.rank == 0 else JobResult(spec.key, spec.stage)
    if workers.rank == 0:
        store.check_writable()
    trainer = None if spec.framework is None else load_trainer(spec.framework)
    LOG.info("Job %s: stage %s of %s%s", spec.key[:12], spec.stage, spec.name, _which(workers))
    if workers.count > 1:
        insist_on_sigterm()
        workers = resolved(workers)
    started = time.monotonic()
    host = host_cache(os.environ)
    with shard_reader(store, host) as reader:
        outcome = stages[spec.stage](Job(spec, store, directory, trainer, LOG, reader, host, workers))
        cache = {} if reader is None else {"cache": reader.stats()}
    stats = {"seconds": round(time.monotonic() - started, 3), **outcome.stats, **cache}
    result = JobResult(spec.key, spec.stage, outcome.outputs, outcome.metrics, stats)
    return store.put_result(result) if workers.rank == 0 else result


def _which(workers: Workers) -> str:
    return "" if workers.count == 1 else f", worker {workers.rank} of {workers.count}"


def load_trainer(framework: str, frameworks: Mapping[str, str] | None = None) -> Any:
    """Import a framework's trainer.

    Args:
        framework: `tensorflow`, `mxnet`, `caffe`.
        frameworks: Name → "module:attribute", `runtime.frameworks.FRAMEWORKS` when not given.

    Raises:
        SpecError: No such framework is known.
        ConfigError: It cannot be imported here.
    """
    known = _frameworks() if frameworks is None else frameworks
    if framework not in known:
        raise SpecError("unknown framework", expected=" | ".join(sorted(known)), got=repr(framework))
    module, _, attribute = known[framework].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise ConfigError(
            f"framework {framework!r} cannot be imported in the job's environment",
            got=error,
            fix=f"install the packages of launchers/environments/{framework}.txt there",
        ) from error


def _frameworks() -> Mapping[str, str]:
    from airflow_mlplat.runtime.frameworks import FRAMEWORKS

    return FRAMEWORKS


def _identity(document: Any, path: Path) -> tuple[str, str]:
    """Key and stage of a spec that this half may not understand, as the other half computes them."""
    if not isinstance(document, dict):
        return path.absolute().parent.name, "unknown"
    return digest({name: value for name, value in document.items() if name != "store"}), str(document.get("stage"))


def _failed(key: str, stage: str, error: Exception) -> JobResult:
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return JobResult(key, stage, error=JobError.of(error, text))


def _finish(directory: Path, result: JobResult) -> ExitCode:
    """Write `result.json` so that it is there whole or not at all; log the failure, if it is one."""
    temporary = directory / f".{RESULT_FILE}.tmp"
    temporary.write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    temporary.replace(directory / RESULT_FILE)
    if result.error is None:
        LOG.info("Job %s is done: %s", result.job_key[:12], ", ".join(f"{k} {v}" for k, v in result.outputs.items()))
        return ExitCode.OK
    LOG.error("Job %s failed\n%s", result.job_key[:12], result.error.traceback)
    return ExitCode.USER_ERROR if result.error.kind == "user" else ExitCode.PLATFORM_ERROR
