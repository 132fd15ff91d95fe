"""The contract: golden files, schemas, and clear words for what is malformed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from airflow_mlplat.contract import (
    CONTRACT_VERSION,
    ENVIRONMENT,
    JobError,
    JobResult,
    JobSpec,
    Ref,
    canonical_json,
    digest,
)
from airflow_mlplat.errors import BuildError, ContractError, JobDiedError, SpecError

GOLDEN = {"job_spec": JobSpec, "job_result": JobResult, "job_failure": JobResult}
SCHEMAS = {"job_spec": "job_spec", "job_result": "job_result", "job_failure": "job_result"}
GOLDEN_KEY = "c8aeab8da9e9eff9c3bbbe287c6af0773131825133145a3e00132b255e31ec69"


def golden(root: Path, name: str) -> dict:
    return json.loads((root / f"tests/golden/{name}.v{CONTRACT_VERSION}.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_read_and_written_unchanged(root: Path, name: str) -> None:
    assert GOLDEN[name].from_json(golden(root, name)).to_json() == golden(root, name)


def test_the_key_of_the_golden_spec_never_changes(root: Path) -> None:
    assert JobSpec.from_json(golden(root, "job_spec")).key == GOLDEN_KEY


def test_the_key_depends_on_all_but_the_place_of_the_store(root: Path) -> None:
    spec = JobSpec.from_json(golden(root, "job_spec"))
    assert dataclasses.replace(spec, store="/elsewhere").key == spec.key
    changes = {
        "stage": "predict", "name": "x", "code_version": "x", "image": "x", "params": {}, "inputs": {}, "files": {},
        "framework": None, "workers": 2,
    }  # fmt: skip
    keys = {dataclasses.replace(spec, **{field: value}).key for field, value in changes.items()}
    assert len(keys | {spec.key}) == len(changes) + 1


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_follow_the_schemas(root: Path, name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with Airflow; not in the job half")
    schema = json.loads((root / f"airflow_mlplat/schemas/{SCHEMAS[name]}.json").read_text())
    jsonschema.validate(golden(root, name), schema)
    for field in set(schema["properties"]) - {"workers"}:  # written where there are several
        assert field in golden(root, name)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**golden(root, name), "surprise": 1}, schema)


def test_several_workers_are_written_one_is_not(root: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema comes with Airflow; not in the job half")
    spec = dataclasses.replace(JobSpec.from_json(golden(root, "job_spec")), workers=2)
    assert JobSpec.from_json(spec.to_json()) == spec
    jsonschema.validate(spec.to_json(), json.loads((root / "airflow_mlplat/schemas/job_spec.json").read_text()))


@pytest.mark.parametrize("name", GOLDEN)
def test_another_contract_version_is_refused_with_both_named(root: Path, name: str) -> None:
    with pytest.raises(ContractError, match=r"another contract version; expected 1; got 2.*install the same"):
        GOLDEN[name].from_json({**golden(root, name), "contract_version": 2})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"surprise": 1}, "unknown \\['surprise'\\]"),
        ({"params": []}, "JobSpec.params has the wrong type; expected dict"),
        ({"framework": 3}, "JobSpec.framework has the wrong type"),
        ({"workers": "2"}, "JobSpec.workers has the wrong type"),
        ({"workers": 0}, "a job has workers; expected 1 or more; got 0"),
        ({"inputs": {"dataset": [{"kind": "cat", "name": "x", "digest": "0" * 64}]}}, "unknown kind; expected span"),
        ({"inputs": {"dataset": [{"kind": "span", "name": "x", "digest": "short"}]}}, "has no digest; expected 64"),
        ({"inputs": {"dataset": ["span"]}}, "not a reference"),
    ],
)
def test_a_malformed_spec_is_told(root: Path, change: dict, told: str) -> None:
    with pytest.raises(SpecError, match=told):
        JobSpec.from_json({**golden(root, "job_spec"), **change})


def test_a_missing_field_is_told(root: Path) -> None:
    document = golden(root, "job_spec")
    del document["stage"]
    with pytest.raises(SpecError, match="missing \\['stage'\\]"):
        JobSpec.from_json(document)
    with pytest.raises(SpecError, match="not a JobSpec; expected a JSON object; got list"):
        JobSpec.from_json([])


def test_an_exception_becomes_words() -> None:
    assert JobError.of(BuildError("no build"), "trace") == JobError("user", "BuildError", "no build.", "trace")
    assert JobError.of(JobDiedError("killed")).kind == "platform"
    assert JobError.of(KeyError()).message == "KeyError"


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'.encode()
    assert digest({"a": 1}) == digest(b'{"a":1}')
    with pytest.raises(SpecError, match="not plain JSON"):
        canonical_json({"a": float("nan")})


def test_a_reference_is_short_in_words() -> None:
    ref = Ref("model", "fashion", "ab" * 32)
    assert str(ref) == "model:fashion@abababababab"
    assert Ref.from_json(ref.to_json()) == ref


def test_every_setting_is_in_the_readme(root: Path) -> None:
    readme = (root / "README.md").read_text()
    for name, meaning in ENVIRONMENT.items():
        assert f"| `{name}` | {meaning} |" in readme
