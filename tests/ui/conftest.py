"""A catalog with two days of a small history, and Airflow's own API server with the plugin in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from airflow_mlplat.contract import JobResult, JobSpec, Ref, digest


@pytest.fixture(scope="session")
def server(airflow_home):
    """Airflow's API server, as `airflow api-server` makes it: our pages are in it by the entry point alone."""
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture
def anonymous(server):
    """A client without credentials."""
    from fastapi.testclient import TestClient

    return TestClient(server, follow_redirects=False)


@pytest.fixture
def token(server):
    """A token of Airflow's own auth manager, for a user who may only look."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="reader", role="VIEWER"))


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    """An empty catalog, which is the installation's."""
    from airflow_mlplat.catalog import open_catalog

    url = f"sqlite:///{tmp_path}/catalog.db"
    monkeypatch.setenv("MLPLAT_CATALOG", url)
    return open_catalog(url)


@pytest.fixture
def browser(server, token, catalog):
    """A client that has logged in, as a browser does: by cookie."""
    from fastapi.testclient import TestClient

    return TestClient(server, follow_redirects=False, cookies={"_token": token})


@dataclass
class History:
    """What was put into the catalog, by role: `span`, `dataset`, `test_set`, `model`, …"""

    catalog: object
    refs: dict[str, Ref] = field(default_factory=dict)

    def run(self, partition, task, map_index=-1):
        from airflow_mlplat.catalog import RunInfo

        return RunInfo("fashion_retraining", f"run-{partition}", task, map_index, partition)

    def document(self, kind, name, parents=(), files=None, **facts):
        return {
            "format": 1, "kind": kind, "name": name, "files": files or {},
            "parents": [parent.to_json() for parent in parents], **facts,
        }  # fmt: skip

    def span(self, name, partition, samples, quarantined, query="SELECT * FROM photos"):
        shards = [{"sha256": "0" * 64, "bytes": 1024, "samples": samples}]
        facts = {"partition": partition, "classes": ["coat", "bag"], "samples": samples, "shards": shards}
        document = self.document("span", name, quarantined=quarantined, **facts)
        ref = Ref("span", name, digest(document))
        source = {"kind": "sql", "query": query, "partition": partition}
        run = self.run(partition, "bridge")
        self.catalog.commit_span(
            ref, partition, document, watermark=partition, fingerprint=None, source=source, run=run
        )
        return ref

    def job(self, stage, name, partition, output, inputs, **facts):
        """One job with one output; its inputs are its output's parents."""
        parents = [ref for refs in inputs.values() for ref in refs]
        document = self.document(output, name, parents, **facts)
        ref = Ref(output, name, digest(document))
        params, framework = {"of": ref.digest}, facts.get("framework")
        spec = JobSpec(stage, name, "/store", "c0de", "1mage", params, inputs, framework=framework)
        result = JobResult(spec.key, stage, {output: ref}, stats={"seconds": 1.5})
        self.catalog.record_job(spec, result, {ref.digest: document}, self.run(partition, stage))
        return ref

    def dataset(self, name, partition, spans, dropped):
        parts = [
            {"partition": span_partition, "digest": ref.digest, "samples": kept, "dropped": lost, "drops": None}
            for span_partition, ref, kept, lost in spans
        ]
        kept = sum(part["samples"] for part in parts)
        return self.job(
            "dataset", name, partition, "dataset", {"spans": [ref for _, ref, _, _ in spans]}, classes=["coat", "bag"],
            samples=kept, label_counts=[kept - 10, 10], spans=parts, dropped=dropped,
        )  # fmt: skip

    def model(self, name, partition, dataset, framework, seed=0):
        signature = {"input": {"shape": [28, 28, 1], "dtype": "uint8", "range": [0, 255]}, "classes": ["coat", "bag"]}
        return self.job(
            "train", name, partition, "model", {"dataset": [dataset]}, framework=framework,
            signature=signature, training={"seed": seed, "loss": [0.5, 0.25]}, files={"weights.npz": "f" * 64},
        )  # fmt: skip

    def evaluate(self, partition, model, test_set, accuracy):
        predictions = self.job(
            "predict", model.name, partition, "predictions", {"model": [model], "dataset": [test_set]},
            model=model.digest, dataset=test_set.digest, classes=["coat", "bag"], samples=100,
        )  # fmt: skip
        metrics = {"accuracy": accuracy, "interval": [accuracy - 0.05, accuracy + 0.05], "samples": 100}
        evaluation = self.job(
            "evaluate", model.name, partition, "evaluation", {"predictions": [predictions]}, metrics=metrics
        )
        return predictions, evaluation

    def decide(self, key, partition, challenger, champion, outcome, reason, *, manifest=None, **document):  # noqa: PLR0917
        from airflow_mlplat.catalog import DecisionInput

        return self.catalog.decide(
            DecisionInput(
                key=digest(key), name=challenger.name, outcome=outcome, reason=reason, challenger=challenger.digest,
                expected_champion=champion.digest if champion else None, partition=partition,
                run=self.run(partition, "compare"), ref=manifest, document=document,
            )
        )  # fmt: skip


@pytest.fixture
def history(catalog):
    """Two days, a dataset of each, three models, of which the second is champion; see the body for the numbers."""
    made = History(catalog)
    one, two = "2026-01-01", "2026-01-02"
    span_one = made.span("fashion", one, 60, {"undecodable": 2, "duplicate-key": 1})
    span_two = made.span("fashion", two, 50, {})
    test_span = made.span("fashion-test", one, 100, {})
    test_set = made.dataset("fashion-test", one, [(one, test_span, 100, 0)], {})
    first_set = made.dataset("fashion", one, [(one, span_one, 58, 2)], {"truncated": 2})
    second_set = made.dataset("fashion", two, [(one, span_one, 58, 2), (two, span_two, 50, 0)], {"truncated": 2})
    first = made.model("fashion", one, first_set, "tensorflow")
    second = made.model("fashion", two, second_set, "mxnet")
    unmeasured = made.model("fashion", two, second_set, "tensorflow", seed=1)
    first_predictions, _ = made.evaluate(one, first, test_set, 0.8)
    second_predictions, evaluation = made.evaluate(two, second, test_set, 0.9)
    verdict = {"outcome": "promoted", "reason": "better", "challenger": second.digest, "champion": first.digest}
    manifest = made.job(
        "compare", "fashion", two, "decision",
        {"challengers": [second_predictions], "champion": [first_predictions]}, alpha=0.05, **verdict,
    )  # fmt: skip
    made.decide("one", one, first, None, "promoted", "the first model")
    made.decide(
        "two", two, second, first, "promoted", "better: 15 against 2", manifest=manifest,
        tests=[{"model": second.digest, "wins": 15, "losses": 2, "p_value": 0.0012, "level": 0.03}],
    )  # fmt: skip
    made.decide("three", two, unmeasured, second, "undecided", "too few samples differ", tests=[])
    made.refs.update(
        span=span_one, dataset=second_set, test_set=test_set, model=second, first=first, unmeasured=unmeasured,
        predictions=second_predictions, evaluation=evaluation, decision=manifest,
    )  # fmt: skip
    return made
