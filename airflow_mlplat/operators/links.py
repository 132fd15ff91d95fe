"""Links from a task to what it made, on the plugin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow.sdk import BaseOperatorLink
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
        value = XCom.get_value(ti_key=ti_key, key="return_value")
        if not isinstance(value, dict) or "digest" not in value:
            return ""
        # Airflow may be served below a prefix.
        prefix = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
        return f"{prefix}/mlplat/artifacts/{value['digest']}"
