"""Windows solved by VGGT: batches of them predicted in one pass, then each made a COLMAP model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from core.models.spec import ModelSpec
from core.reconstruction.settings import CameraSettings, FrameRequest, SolveSettings, VggtSettings
from flows.reconstruct_windows.plan import Plan
from flows.reconstruct_windows.sequence import FrameSequence, Source
from flows.reconstruct_windows.windows import WindowRun, describe_window, window_name
from tasks.items import Item, Outcome, Stage, item_key
from tasks.running import ItemRun, run_items

PREDICT = Stage(
    "predict", "core.reconstruction.vggt_predict_item:predict_windows", lambda done: [f"{len(done['windows'])} windows"]
)
VGGT_WINDOW = Stage("window", "core.reconstruction.vggt_window_item:solve_vggt_window", describe_window)


def solve_with_vggt(
    run: ItemRun,
    plan: Plan,
    windows: WindowRun,
    sources: Sequence[Source],
    batch_size: int,
    camera: CameraSettings,
    solve: SolveSettings,
    vggt: VggtSettings,
    settled: Callable[[Outcome], None],
) -> FrameSequence:
    """Predict in batches, then solve every window; what is known of the frames.

    A window with an unreadable frame goes without that frame. A batch that fails costs its windows, with its reason.
    """
    model = plan.backend.spec(plan.models, run.store.digests.content)
    batches = _batches(windows, sources, batch_size)
    items = [_predict_item(batch, sources, batch_size, model) for batch in batches]
    frames = [
        FrameRequest(number=number, name=one.path.name, features=None, reason=one.reason)
        for number, one in enumerate(sources)
    ]
    shared = {
        "camera": camera.model_dump(mode="json"),
        "settings": solve.model_dump(mode="json"),
        "vggt": vggt.model_dump(mode="json"),
    }
    solving = []
    for batch, item, outcome in zip(batches, items, run_items(run, PREDICT, items), strict=True):
        if outcome.record is None:
            for number in batch:
                lost = Item(window_name(number, windows.windows[number]), {}, {}, 0.0)
                settled(Outcome(lost, plan.output, None, False, outcome.reason))
            continue
        for place, (number, own) in enumerate(batch.items()):
            for frame, size in zip(own, outcome.record["windows"][place], strict=True):
                known = {"reason": size} if isinstance(size, str) else {"width": size[0], "height": size[1]}
                frames[frame] = frames[frame].model_copy(update=known)
            used = [(frames[frame], sources[frame]) for frame in windows.windows[number]]
            geometry = Geometry(item_key(PREDICT, item), place, outcome.folder / f"{place}.npz")
            name = window_name(number, windows.windows[number])
            solving.append(_window_item(name, used, geometry, model, {"window": number, **shared}))
    run_items(run, VGGT_WINDOW, solving, settled)
    return FrameSequence(frames, [None if one.digests is None else one.digests[0] for one in sources])


@dataclass(frozen=True)
class Geometry:
    """What was predicted of a window: the item's key, the window's place in it, the file."""

    key: str
    place: int
    path: Path


def _batches(windows: WindowRun, sources: Sequence[Source], size: int) -> list[dict[int, list[int]]]:
    """The windows of each batch, by number, each with its readable frames."""
    readable = [
        [frame for frame in window if sources[frame].digests is not None] for window in windows.windows
    ]  # fmt: skip
    grouped = groupby(range(len(readable)), key=lambda number: number // size)
    return [{number: readable[number] for number in numbers} for _, numbers in grouped]


def _key(model: ModelSpec) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude={"path"})


def _predict_item(batch: dict[int, list[int]], sources: Sequence[Source], most: int, model: ModelSpec) -> Item:
    inputs = {"windows": [[sources[f].digests for f in frames] for frames in batch.values()], "model": _key(model)}
    images = [[str(sources[frame].path.absolute()) for frame in frames] for frames in batch.values()]
    request = {"windows": images, "most": most, "model": model.model_dump(mode="json")}
    return Item(f"windows {min(batch)}-{max(batch)}", inputs, request, float(sum(map(len, batch.values()))))


def _window_item(
    name: str,
    used: Sequence[tuple[FrameRequest, Source]],
    geometry: Geometry,
    model: ModelSpec,
    what: dict[str, Any],
) -> Item:
    inputs = {
        "geometry": [geometry.key, geometry.place],
        "frames": [[frame.number, frame.name, frame.reason] for frame, _ in used],
        "model": _key(model),
        **what,
    }
    request = {
        "frames": [frame.model_dump(mode="json") for frame, _ in used],
        "images": [str(source.path.absolute()) for frame, source in used if frame.reason is None],
        "geometry": str(geometry.path),
        **what,
    }
    return Item(name, inputs, request, float(len(used)))
