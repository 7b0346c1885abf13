"""What a flow's report page shows about its run."""

import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prefect.runtime import flow_run
from pydantic import BaseModel

from core.report.run_facts import ItemFacts, RunFacts
from tasks.items import Outcome, Stage

_PACKAGES = ("maskflow", "prefect", "torch", "sam2", "transformers", "numpy", "opencv-python", "av", "pycolmap")


def run_facts(made: Sequence[tuple[Stage, Outcome]]) -> dict[str, Any]:
    """A `RunFacts` of the items made so far, each with its stage, as JSON-able values.

    No input of a page: a page that is there already shows the run that made it.
    """
    facts = RunFacts(
        items=[_item(stage, outcome) for stage, outcome in made],
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
    for name, value in (flow_run.parameters or {}).items():
        group = value.model_dump() if isinstance(value, BaseModel) else value
        for parameter, one in group.items() if isinstance(group, dict) else [(name, value)]:
            if one is not None and one != []:
                yield parameter, " ".join(map(str, one)) if isinstance(one, list | tuple) else str(one)


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
