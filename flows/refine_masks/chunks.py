"""Scenes cut into items of a few images each, so that a long scene does not keep one device busy for ever."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import RefusedInput
from core.models.spec import ModelSpec
from core.refining.refine import Settings
from core.refining.scenes import IMAGES, MAPS, REFINED, ImageFiles, Scene, read_scene
from core.store.paths import inside
from flows.refine_masks.plan import Plan
from tasks.deliver import deliver_all
from tasks.items import Item, Outcome
from tasks.store import RunStore

_IMAGES = 16


@dataclass(eq=False)
class SceneRun:
    """A scene in this run: what it was cut into, what became of that, and what failed: image ("": all) and reason."""

    scene: Scene
    items: dict[str, list[ImageFiles]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Images in the scene, with and without a map."""
        return len(self.scene.files) + sum(bool(image) for image, _ in self.scene.failures)

    def done(self) -> list[Outcome]:
        """The chunks that were refined, in the scene's order."""
        order = list(self.items)
        return sorted((o for o in self.outcomes if o.record is not None), key=lambda o: order.index(o.item.name))


def cut(
    plan: Plan, store: RunStore, generator: ModelSpec, settings: Settings, png: bool
) -> tuple[dict[str, SceneRun], list[Item]]:
    """Every scene, by name, and all items."""
    runs, items = {}, []
    what = {"settings": settings.model_dump(mode="json"), "png": png}
    for name in plan.scenes:
        run = runs[name] = SceneRun(read_scene(plan.data_root, name, plan.truth))
        run.failures += run.scene.failures
        try:
            _check_output(plan, name)
        except RefusedInput as refused:
            run.failures = [("", str(refused))]
            continue
        known = _digests(run, store)
        for start in range(0, len(known), _IMAGES):
            chunk = known[start : start + _IMAGES]
            title = f"{name} [{start + 1}-{start + len(chunk)} of {len(known)}]"
            run.items[title] = [files for files, _ in chunk]
            inputs = {"images": [digests for _, digests in chunk], "generator": generator.key, **what}
            request = {
                "images": [request_of(files) for files, _ in chunk],
                "generator": generator.model_dump(mode="json"),
                **what,
            }
            items.append(Item(title, inputs, request, float(len(chunk))))
    store.digests.save()
    return runs, items


def request_of(files: ImageFiles) -> dict[str, Any]:
    """The files' absolute paths, JSON-able."""
    truth = None if files.truth is None else str(files.truth.absolute())
    return {"image": str(files.image.absolute()), "id_map": str(files.id_map.absolute()), "truth": truth}


def deliver_chunk(plan: Plan, store: RunStore, runs: dict[str, SceneRun], png: bool, outcome: Outcome) -> None:
    """Put a chunk's maps where they belong as soon as it is done; note what failed in it."""
    run = next(run for run in runs.values() if outcome.item.name in run.items)
    run.outcomes.append(outcome)
    names = [files.name for files in run.items[outcome.item.name]]
    if outcome.record is None:
        run.failures += [(name, outcome.reason or "failed") for name in names]
        return
    run.failures += outcome.record["failed"].items()
    made = [f"{name}.pth" for name in outcome.record["images"]]
    if png:
        made += [f"{name}.png" for name in outcome.record["images"] if (outcome.folder / f"{name}.png").exists()]
    try:
        deliver_all(outcome.folder, made, _output(plan, run.scene.name), store.digests)
    except OSError as error:
        run.failures += [(name, f"cannot be delivered: {error}") for name in outcome.record["images"]]


def _output(plan: Plan, name: str) -> Path:
    return inside(plan.output, name, REFINED)


def _check_output(plan: Plan, name: str) -> None:
    """Raises `RefusedInput` where a link would lead outputs out of their folder, or over the input."""
    output = _output(plan, name).resolve()
    if output in [(plan.data_root / name / part).resolve() for part in (IMAGES, MAPS)]:
        raise RefusedInput.of(
            "path", str(plan.output / name / REFINED), "it is a link to the input, which is not touched"
        )


def _digests(run: SceneRun, store: RunStore) -> list[tuple[ImageFiles, list[str | None]]]:
    """The content of each image's files; those that cannot be read fail."""
    known: list[tuple[ImageFiles, list[str | None]]] = []
    for files in run.scene.files:
        try:
            paths: Sequence[Path | None] = (files.image, files.id_map, files.truth)
            digests = [None if path is None else store.digests.file(path) for path in paths]
            known.append((files, [files.name, *digests]))
        except OSError as error:
            run.failures.append((files.name, f"{error.filename}: {(error.strerror or 'unreadable').lower()}"))
    return known
