"""Links from a task to what it made, on the plugin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink, TaskInstanceState
from airflow.sdk.configuration import conf
from airflow.sdk.execution_time.xcom import XCom

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class ArtifactLink(BaseOperatorLink):
    """The page of the span, dataset, model, predictions or decision that the task returned."""

    name = "Artifact"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Path of the artifact's page, or an empty text when the task returned none."""
        # Airflow asks at the end of each go, with the task itself as its key. One that waits has returned nothing yet,
        # and asking for what is not there is written into its log as an error.
        if getattr(ti_key, "state", TaskInstanceState.SUCCESS) != TaskInstanceState.SUCCESS:
            return ""
        value = XCom.get_value(ti_key=ti_key, key="return_value")
        if not isinstance(value, dict) or "digest" not in value:
            return ""
        # Airflow may be served below a prefix.
        prefix = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return f"{prefix}/mlplat/artifacts/{value['digest']}"
