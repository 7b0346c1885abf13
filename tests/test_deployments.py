"""What is deployed: each flow has a form people can fill in, and files that are used elsewhere are well formed."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint

ROOT = Path(__file__).parent.parent
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


def _flow(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Flow[..., Any]:
    monkeypatch.chdir(ROOT)
    return load_flow_from_entrypoint(deployment["entrypoint"])


def test_every_flow_is_deployed_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"track-videos", "annotate-long-video", "refine-masks", "reconstruct-windows", "track-mask-points"}
    assert {one["name"] for one in DEPLOYMENTS} == names
    assert {_flow(one, monkeypatch).name for one in DEPLOYMENTS} == names


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_a_deployment_says_what_it_does_and_its_schedule_is_paused(deployment: dict[str, Any]) -> None:
    assert "**Give it**" in deployment["description"]
    assert "**You get**" in deployment["description"]
    assert "maskflow" in deployment["tags"]
    assert deployment["work_pool"]["name"] == "maskflow"
    (schedule,) = deployment["schedules"]
    assert schedule["timezone"]
    assert schedule["active"] is False


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_the_form_describes_every_parameter(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    flow = _flow(deployment, monkeypatch)
    groups = flow.parameters.definitions
    properties = {
        name: groups[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        for name, one in flow.parameters.properties.items()
    }
    assert [name for name, one in properties.items() if not one.get("description")] == []
    assert "parameters" not in deployment, "an example that is submitted as it stands would fail"
    single = [field for one in properties.values() for field in one.get("properties", {"": one}).values()]
    limits = [part for one in single for part in (one, *one.get("anyOf", ()))]
    assert any({"minimum", "exclusiveMinimum"} & set(part) for part in limits)


@pytest.mark.parametrize("path", sorted((ROOT / "deployments" / "automations").iterdir()), ids=lambda path: path.stem)
def test_automations_are_what_prefect_takes(path: Path) -> None:
    text = path.read_text().replace("{{ webhook }}", "00000000-0000-0000-0000-000000000000")
    AutomationCore.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize("name", ["compose.yaml", "worker.yaml"])
def test_a_compose_file_names_what_exists(name: str) -> None:
    folder = ROOT / "deployments"
    compose = yaml.safe_load((folder / name).read_text())
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        files = (service.get("env_file"), service.get("extends", {}).get("file"))
        assert all((folder / file).is_file() for file in files if file is not None)
        dockerfile = service.get("build", {}).get("dockerfile")
        assert dockerfile is None or (ROOT / dockerfile).is_file()
    named = set(re.findall(r"^(\w+)=", (folder / ".env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", (folder / name).read_text())) <= named
