"""Refined maps compared with true ones, chunk by chunk: apart from refining, so that a truth can come later."""

from collections.abc import Sequence

from core.refining.refine import Settings
from flows.refine_masks.chunks import SceneRun
from tasks.items import Item, Outcome, Stage, item_key
from tasks.running import ItemRun, run_items

COMPARE = Stage(
    "compare",
    "core.refining.compare_item:compare_images",
    lambda done: [f"{image}: {why}" for image, why in done["warnings"].items()],
    version=2,
)


def compare_with_truth(
    run: ItemRun, refine: Stage, runs: dict[str, SceneRun], settings: Settings
) -> tuple[dict[str, Outcome], list[str]]:
    """Compare every refined image that has a truth.

    Returns:
        What came of each chunk, by its item's name; and what a person should know.
    """
    items = {}
    for scene in runs.values():
        for done in scene.done():
            item = _item(run, refine, scene, done, settings)
            if item is not None:
                items[done.item.name] = item
    outcomes: Sequence[Outcome] = run_items(run, COMPARE, list(items.values()))
    files = [files for scene in runs.values() for files in scene.scene.files]
    known = sum(one.truth is not None for one in files)
    missing = [name for name, scene in runs.items() if not any(one.truth is not None for one in scene.scene.files)]
    without = f"; none for {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}" if missing else ""
    notes = [f"Truth: found for {known} of {len(files)} images{without}"]
    notes += [f"{one.item.name}: {one.reason}" for one in outcomes if one.reason is not None]
    return dict(zip(items, outcomes, strict=True)), notes


def _item(run: ItemRun, refine: Stage, scene: SceneRun, done: Outcome, settings: Settings) -> Item | None:
    assert done.record is not None
    images, digests = [], []
    for files in scene.items[done.item.name]:
        if files.truth is None or not files.truth.is_file() or files.name not in done.record["images"]:
            continue
        digests.append([files.name, run.store.digests.file(files.truth), files.truth.suffix.lower()])
        paths = {"id_map": files.id_map, "refined": done.folder / f"{files.name}.pth", "truth": files.truth}
        images.append({"image": files.name, **{name: str(path.absolute()) for name, path in paths.items()}})
    if not images:
        return None
    what = {"background": settings.background}
    inputs = {"refined": item_key(refine, done.item), "truth": digests, **what}
    return Item(f"{done.item.name} (truth)", inputs, {"images": images, **what}, float(len(images)))
