"""What a server must know before Maskflow's flows can be started from it: pool, deployments, automations.

All of it can be done again and again; what people changed in the UI stays as they set it.
"""

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

from core.errors import MaskflowError, RefusedInput

POOL = "maskflow"
_WEBHOOK = "maskflow"


def set_up(client: SyncPrefectClient, files: Path, working_folder: Path) -> list[str]:
    """Make the work pool, register the deployments of `prefect.yaml`, and have dead runs marked as crashed.

    Args:
        client: of the server to set up.
        files: the folder of `prefect.yaml` and `automations/`.
        working_folder: flow runs start there.

    Returns:
        The deployments' full names.

    Raises:
        MaskflowError: `prefect deploy` did not succeed; with what it said.
    """
    make_pool(client)
    names = [one["name"] for one in yaml.safe_load((files / "prefect.yaml").read_text())["deployments"]]
    before = _deployed(client, names)
    deployed = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", files / "prefect.yaml"],
        cwd=working_folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if deployed.returncode != 0:
        raise MaskflowError(f"prefect deploy --all did not succeed:\n{deployed.stdout}{deployed.stderr}")
    _keep_changes(client, before, _deployed(client, names))
    for name in ("crashed", "never_started"):
        _register(client, _automation(files, name))
    return [f"{name}/{name}" for name in names]


def make_pool(client: SyncPrefectClient) -> None:
    """Make the work pool where it is missing."""
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template))


def _deployed(client: SyncPrefectClient, names: list[str]) -> dict[str, DeploymentResponse]:
    """Those that the server has of the deployments of these names; each is called like its flow."""
    found = {}
    for name in names:
        with suppress(ObjectNotFound):
            found[name] = client.read_deployment_by_name(f"{name}/{name}")
    return found


def _keep_changes(
    client: SyncPrefectClient, before: dict[str, DeploymentResponse], now: dict[str, DeploymentResponse]
) -> None:
    """Give deployments that were there back their parameters and schedules: `prefect deploy` has reset them."""
    for name, old in before.items():
        schedules = [
            DeploymentScheduleUpdate(
                schedule=one.schedule,
                active=one.active,
                max_scheduled_runs=one.max_scheduled_runs,
                parameters=regrouped(one.parameters, now[name].parameter_openapi_schema or {}),
                slug=one.slug,
            )
            for one in old.schedules
        ]
        parameters = regrouped(old.parameters, now[name].parameter_openapi_schema or {})
        kept = DeploymentUpdate(parameters=parameters, schedules=schedules, paused=old.paused)
        client.update_deployment(now[name].id, kept)


def regrouped(parameters: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a flow has; one that has become part of a group of parameters since is moved there.

    A group's own name may have been that of a parameter: then a value that is no mapping is an old one.
    """
    known, kept = schema.get("properties", {}), {}
    for name, about in known.items():
        definition = schema.get("definitions", {}).get(about.get("$ref", "").rpartition("/")[2])
        value = parameters.get(name)
        if definition is None:
            if name in parameters:
                kept[name] = value
            continue
        fields = definition.get("properties", {})
        moved = {
            one: old
            for one, old in parameters.items()
            if one in fields and (one == name or one not in known) and not isinstance(old, Mapping)
        }
        group = moved | dict(value if isinstance(value, Mapping) else {})
        if group:
            kept[name] = group
    return kept


def notify(client: SyncPrefectClient, files: Path, url: str) -> None:
    """Have a webhook called for each flow run that failed, is partial, or crashed; another URL replaces the last.

    Raises:
        RefusedInput: not the address of a webhook.
    """
    if not url.startswith(("http://", "https://")):
        raise RefusedInput.of("url", url, "http://… or https://…")
    webhook = Webhook(method="POST", url=url).save(_WEBHOOK, overwrite=True)
    wanted = _automation(files, "notify", webhook=str(webhook))
    for old in client.read_automations_by_name(wanted.name):  # of a webhook that may have been deleted since
        client.delete_automation(old.id)
    client.create_automation(wanted)


def _automation(files: Path, name: str, **values: str) -> AutomationCore:
    text = (files / "automations" / f"{name}.yaml").read_text()
    for key, value in values.items():
        text = text.replace(f"{{{{ {key} }}}}", value)
    return AutomationCore.model_validate(yaml.safe_load(text))


def _register(client: SyncPrefectClient, wanted: AutomationCore) -> None:
    """Make it where there is none of its name, and leave alone one that is there."""
    if not client.read_automations_by_name(wanted.name):
        client.create_automation(wanted)
