"""Scenes cut into items of a few images each, so that a long scene does not keep one device busy for ever."""

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from core.errors import RefusedInput, reason_of
from core.models.spec import ModelSpec
from core.refining.refine import Settings
from core.refining.scenes import REFINED, ImageFiles, Scene, read_scene
from core.store.manifest import MANIFEST
from core.store.paths import inside
from flows.refine_masks.plan import Plan
from tasks.items import Item, Outcome
from tasks.reporting.delivery import deliver_all, undelivered
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
    """Every scene, by name, and all items. Cuts depend on the images' places: a map that comes later moves none."""
    runs, items = {}, []
    what = {"settings": settings.model_dump(mode="json"), "png": png}
    for name in plan.scenes:
        run = runs[name] = SceneRun(read_scene(plan.data_root, name, plan.truth))
        run.failures += run.scene.failures
        refusal = _output_refused(plan, name)
        if refusal is not None:
            run.failures = [("", refusal)]
            continue
        for chunk, files in groupby(_readable(run, store), key=lambda pair: pair[0].place // _IMAGES):
            known = list(files)
            first = chunk * _IMAGES + 1
            title = f"{name} [{first}-{min(first + _IMAGES - 1, run.total)} of {run.total}]"
            run.items[title] = [one for one, _ in known]
            inputs = {"images": [digests for _, digests in known], "generator": generator.key, **what}
            images = [request_of(one) for one, _ in known]
            request = {"images": images, "generator": generator.model_dump(mode="json"), **what}
            items.append(Item(title, inputs, request, float(len(known))))
    store.digests.save()
    return runs, items


def scene_files(plan: Plan) -> list[Path]:
    """All images and maps of the run, to be read for their digests."""
    scenes = (read_scene(plan.data_root, name, plan.truth) for name in plan.scenes)
    return [path for scene in scenes for files in scene.files for path in (files.image, files.id_map)]


def request_of(files: ImageFiles) -> dict[str, Any]:
    """The files' absolute paths, JSON-able."""
    return {"image": str(files.image.absolute()), "id_map": str(files.id_map.absolute())}


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
        deliver_all(outcome.folder, made, inside(plan.output, run.scene.name, REFINED), store.digests)
    except (OSError, RefusedInput) as error:
        run.failures += [(name, undelivered(error)) for name in outcome.record["images"]]


def forget_failed(runs: dict[str, SceneRun]) -> None:
    """Chunks in which an image failed do not count as finished: the next run tries them again."""
    for run in runs.values():
        for outcome in run.done():
            if outcome.record is not None and outcome.record["failed"]:
                (outcome.folder / MANIFEST).unlink(missing_ok=True)


def _output_refused(plan: Plan, name: str) -> str | None:
    """Why nothing may be written for a scene: a link would lead outputs out of their folder, or over an input."""
    output = plan.output / name / REFINED
    if output.is_symlink():
        return f"{output} is a link: outputs could end up over an input; remove it"
    try:
        inside(plan.output, name, REFINED)
    except (RefusedInput, OSError, RuntimeError) as error:
        return f"{error}; give --output-dir" if isinstance(error, RefusedInput) else str(error)
    return None


def _readable(run: SceneRun, store: RunStore) -> list[tuple[ImageFiles, list[str]]]:
    """The images whose files can be read, with what their refined maps depend on; the others fail."""
    known = []
    for files in run.scene.files:
        try:
            for path in (files.image, files.id_map):
                if path.exists() and not path.is_file():
                    raise OSError(0, "not a regular file", str(path))
            digests = [store.digests.file(path) for path in (files.image, files.id_map)]
            # The suffix says how a map is read.
            known.append((files, [files.name, *digests, files.id_map.suffix.lower()]))
        except OSError as error:
            run.failures.append((files.name, f"{error.filename}: {reason_of(error)}"))
    return known
