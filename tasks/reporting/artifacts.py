"""Artifacts of the present flow run, recorded without ever waiting for the server."""

import json
import math
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.utilities.context import get_task_and_flow_run_ids

from tasks.server.link import server_link

_FLUSH_WITHIN_S = 15.0
_FLUSH_LOST_S = 3.0


class ProgressArtifact:
    """A bar in the Prefect UI."""

    def __init__(self, description: str) -> None:
        self._link = server_link()
        self._flow_run_id = get_task_and_flow_run_ids()[1]
        self._id: UUID | None = None
        self.update(0.0, description)

    def update(self, percent: float, description: str) -> None:
        """Show another state; of those that could not be recorded yet only the latest counts."""
        percent = min(100.0, max(0.0, percent))

        def call(client: SyncPrefectClient) -> None:
            if self._id is None:
                made = ArtifactCreate(
                    type="progress", description=description, data=percent, flow_run_id=self._flow_run_id
                )
                self._id = client.create_artifact(made).id
            else:
                client.update_artifact(self._id, ArtifactUpdate(description=description, data=percent))

        self._link.record(self, call)


def record_table(table: list[dict[str, Any]], key: str, description: str) -> None:
    """Have a table recorded; what is no number stands there as nothing."""
    plain = [
        {name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()}
        for row in table
    ]
    _record("table", json.dumps(plain), key, description)


def record_markdown(markdown: str, key: str, description: str) -> None:
    """Have a page recorded."""
    _record("markdown", markdown, key, description)


def _record(kind: str, data: str, key: str, description: str) -> None:
    flow_run_id = get_task_and_flow_run_ids()[1]
    made = ArtifactCreate(type=kind, key=key, description=description, data=data, flow_run_id=flow_run_id)
    server_link().record((kind, key, flow_run_id), lambda client: client.create_artifact(made))


def flush_artifacts() -> int:
    """Wait a little until all is recorded, a moment only where the server is lost; how much is not."""
    link = server_link()
    return link.flush(_FLUSH_LOST_S if link.lost else _FLUSH_WITHIN_S)
