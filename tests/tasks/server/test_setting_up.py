"""Setting up a real server: again and again, and what people changed stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate

from core.errors import RefusedInput
from tasks.server.setting_up import POOL, notify, regrouped, set_up

ROOT = Path(__file__).parents[3]
FILES = ROOT / "flows" / "cli" / "deployed"
pytestmark = pytest.mark.slow


@pytest.fixture
def client(prefect_server: str) -> Iterator[SyncPrefectClient]:
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        yield client


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ({"fps": 5, "gone": 1}, {"fps": 5}),
        ({"fps": None, "gpu_ids": [1]}, {"fps": None, "devices": {"gpu_ids": [1]}}),
        ({"matching": "documented"}, {"matching": {"matching": "documented"}}),
        ({"matching": "documented", "spread": 3}, {"matching": {"matching": "documented", "spread": 3}}),
        ({"matching": {"spread": 4}, "spread": 3}, {"matching": {"spread": 4}}),
        ({"devices": "no mapping"}, {}),
        ({}, {}),
    ],
)
def test_parameters_from_before_there_were_groups_go_into_them(old: dict[str, Any], now: dict[str, Any]) -> None:
    schema = {
        "properties": {"fps": {}, "devices": {"$ref": "#/definitions/D"}, "matching": {"$ref": "#/definitions/M"}},
        "definitions": {"D": {"properties": {"gpu_ids": {}}}, "M": {"properties": {"matching": {}, "spread": {}}}},
    }
    assert regrouped(old, schema) == now


def test_set_up_twice_keeps_what_people_changed(client: SyncPrefectClient) -> None:
    names = set_up(client, FILES, ROOT)
    assert len(names) == (ROOT / "prefect.yaml").read_text().count("entrypoint:")
    assert client.read_work_pool(POOL).type == "process"
    deployment = client.read_deployment_by_name("refine-masks/refine-masks")
    (schedule,) = deployment.schedules
    assert not schedule.active
    changed = DeploymentUpdate(
        parameters={"data_root": "/elsewhere", "gpu_ids": [1], "no_such": 1},  # gpu_ids: from before there were groups
        schedules=[
            DeploymentScheduleUpdate(
                schedule=schedule.schedule, active=True, parameters={"png": True, "max_spread": 3, "generator": "sam2"}
            )
        ],
        enforce_parameter_schema=False,
    )
    client.update_deployment(deployment.id, changed)

    assert set_up(client, FILES, ROOT) == names
    kept = client.read_deployment_by_name("refine-masks/refine-masks")
    assert kept.parameters == {"data_root": "/elsewhere", "devices": {"gpu_ids": [1]}}
    grouped = {"png": True, "matching": {"max_spread": 3}, "masks": {"generator": "sam2"}}
    assert [(one.active, one.parameters) for one in kept.schedules] == [(True, grouped)]
    assert len(client.read_automations_by_name("Maskflow: mark silent runs as crashed")) == 1
    client.update_deployment(
        kept.id, DeploymentUpdate(schedules=[])
    )  # other tests share the server: nothing starts there


def test_another_webhook_replaces_the_first(client: SyncPrefectClient) -> None:
    for url in ("https://one.example/hook", "https://two.example/hook"):
        notify(client, FILES, url)
    assert len(client.read_automations_by_name("Maskflow: notify of failures")) == 1
    block = client.read_block_document_by_name("maskflow", "webhook", include_secrets=True)
    assert block.data["url"] == "https://two.example/hook"
    with pytest.raises(RefusedInput, match="url = 'ftp"):
        notify(client, FILES, "ftp://two.example")
