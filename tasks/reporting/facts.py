"""What a flow's report page shows about its run."""

import platform
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from pathlib import Path
from typing import Any

from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from pydantic import BaseModel

from core.report.run_facts import ItemFacts, RunFacts
from tasks.items import Outcome, Stage

_PACKAGES = ("maskflow", "prefect", "torch", "sam2", "transformers", "numpy", "opencv-python", "av", "pycolmap")


def run_facts(made: Sequence[tuple[Stage, Outcome]], results: Path | None = None) -> dict[str, Any]:
    """A `RunFacts` of the items made so far, each with its stage, as JSON-able values; `results` can be corrected.

    No input of a page: a page that is there already shows the run that made it.
    """
    facts = RunFacts(
        items=[_item(stage, outcome) for stage, outcome in made],
        command=shlex.join(command_words()),
        correct="" if results is None else shlex.join(["maskflow", "label", "--results", str(results.absolute())]),
        parameters=list(_parameters()),
        made_with=[*_models(outcome for _, outcome in made), *_versions()],
    )
    return facts.model_dump(mode="json")


def _item(stage: Stage, outcome: Outcome) -> ItemFacts:
    ran = outcome.ran
    return ItemFacts(
        name=outcome.item.name,
        stage=stage.name,
        status="failed" if outcome.reason is not None else "cached" if outcome.cached else "done",
        seconds=ran.get("seconds"),
        peak_mib=ran.get("host_peak_mib"),
        gpu_peak_mib=ran.get("gpu_peak_mib"),
        reason=outcome.reason or "",
    )


def _parameters() -> Iterator[tuple[str, str]]:
    """The parameters of this run that say something, those of groups one by one."""
    for parameter, one in _flat(flow_run.parameters or {}):
        if one is not None and one != []:
            yield parameter, " ".join(map(str, one)) if isinstance(one, list | tuple) else str(one)


def command_words() -> list[str]:
    """The command line of this run: what differs from the defaults."""
    flow = flow_run.flow_name
    defaults = dict(_flat(_defaults()))
    words = ["maskflow", str(flow)]
    for name, value in _flat(flow_run.parameters or {}):
        if value is None or value == [] or value == defaults.get(name):
            continue
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", *(map(str, value) if isinstance(value, list | tuple) else [str(value)])]
    return words


def _defaults() -> dict[str, Any]:
    context = FlowRunContext.get()
    if context is None or context.flow is None:
        return {}
    return {name: one.default for name, one in signature(context.flow.fn).parameters.items()}


def _flat(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Parameters by name, those of groups one by one."""
    for name, value in parameters.items():
        group = value.model_dump() if isinstance(value, BaseModel) else value
        if isinstance(group, dict):
            yield from group.items()
        else:
            yield name, value


def _models(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, str]]:
    """The models that items were made with, and the SHA-256 of their weights: part of their cache keys."""
    models: dict[tuple[str, str], None] = {}
    for outcome in outcomes:
        for role, value in outcome.item.inputs.items():
            if isinstance(value, dict) and {"backend", "sha256"} <= set(value):
                words = [value["backend"], *value.get("variant", ())]
                digest = "no weights" if value["sha256"] is None else f"weights SHA-256 {value['sha256']}"
                models[role, f"{' '.join(words)}, {digest}"] = None
    yield from models


def _versions() -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for name in _PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
