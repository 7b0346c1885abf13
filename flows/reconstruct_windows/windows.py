"""Windows solved, delivered as soon as they are, and merged."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import RefusedInput
from core.formats.window_info import INFO_JSON, INFO_TEXT, FrameInfo, WindowInfo, write_window_info
from core.reconstruction.settings import ALIGNMENT, DEFAULT_FOCAL, SPARSE, CameraSettings, MatchFile, SolveSettings
from core.reconstruction.windowing import Pair
from core.store.atomic import atomic_folder
from core.store.paths import inside
from flows.reconstruct_windows.plan import Plan
from flows.reconstruct_windows.sequence import FrameSequence
from tasks.items import Item, Outcome, Stage, item_key
from tasks.reporting.delivery import deliver_all, undelivered
from tasks.running import ItemRun, run_items

MODEL_FILES = tuple(f"{SPARSE}/{name}" for name in (
    "cameras.bin", "images.bin", "points3D.bin", "rigs.bin", "frames.bin", "points.ply",
))  # fmt: skip
CAMERA = Stage(
    "camera",
    "core.reconstruction.camera_item:calibrate",
    lambda done: [f"focal length {done['focal']:.2f} longer sides ({done['source']}, {done['pairs']} pairs)"],
    version=2,
)


def describe_window(done: dict[str, Any]) -> list[str]:
    """A solved window, for the log."""
    info = WindowInfo.model_validate(done)
    error = f"{info.mean_reproj_error_px or 0:.2f} px ({info.method})"
    return [f"{info.registered} of {len(info.frames)} frames, {info.points} points, {error}"]


WINDOW = Stage("window", "core.reconstruction.window_item:solve_window", describe_window, version=2)
MERGE = Stage(
    "merge",
    "core.reconstruction.merge_item:merge_windows",
    lambda done: [f"{done['registered']} of {done['frames']} frames, {done['points']} points"],
    version=2,
)


@dataclass(frozen=True)
class Settings:
    """What every window shares."""

    camera: CameraSettings
    solve: SolveSettings


@dataclass(eq=False)
class WindowRun:
    """The windows of a run: which frames, where each goes, what became of it."""

    windows: list[range]
    folders: list[Path]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    undelivered: dict[int, str] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """The window an item is, by the item's name."""
        return self._numbers[name]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {window_name(number, window): number for number, window in enumerate(self.windows)}

    def solved(self) -> dict[int, Outcome]:
        """Windows that have a model, in order."""
        return {number: one for number, one in sorted(self.outcomes.items()) if one.record is not None}

    def failed(self) -> list[tuple[int, str]]:
        """Windows that have none, and why."""
        return [(number, one.reason or "failed") for number, one in sorted(self.outcomes.items()) if one.record is None]


def plan_windows(plan: Plan, windows: list[range], batch_size: int) -> WindowRun:
    """Where each window goes: `batch_000/window_000`, numbered through all batches, whatever fails."""
    folders = [
        inside(plan.output, f"batch_{number // batch_size:03d}", f"window_{number:03d}")
        for number in range(len(windows))
    ]
    return WindowRun(windows, folders)


def decide_camera(
    run: ItemRun,
    sequence: FrameSequence,
    matches: Sequence[MatchFile],
    model: str,
    shared: bool,
    focal_length: float | None,
) -> tuple[CameraSettings, str]:
    """The camera all windows start from, and how it is known: given, by EXIF, from the matches, or a guess."""
    usable = [frame for frame in sequence.frames if frame.features is not None]
    if focal_length is not None:
        given = {"model": model, "shared": shared, "focal": DEFAULT_FOCAL, "focal_px": focal_length}
        return CameraSettings.model_validate(given), f"{focal_length:g} px, given"
    if sequence.focals and 2 * len(sequence.focals) >= len(usable):
        focal, source = sorted(sequence.focals)[len(sequence.focals) // 2], "by EXIF"
    elif matches:
        frames = [frame.model_dump(mode="json") for frame in usable]
        request = {"frames": frames, "matches": [file.model_dump(mode="json") for file in matches]}
        inputs = {"keys": sequence.keys, "matches": [[file.path.parent.name, file.frames] for file in matches]}
        (outcome,) = run_items(run, CAMERA, [Item("camera", inputs, request, 1.0)])
        known = outcome.record or {"focal": DEFAULT_FOCAL, "source": "default"}
        focal = known["focal"]
        source = "from the matches" if known["source"] == "estimated" else "a guess: no parallax to estimate it by"
        if outcome.record is None:
            source = f"a guess: {outcome.reason}"
    else:
        focal, source = DEFAULT_FOCAL, "a guess"
    settings = CameraSettings.model_validate({"model": model, "shared": shared, "focal": round(focal, 4)})
    return settings, f"{focal:.2f} longer sides, {source}"


def colmap_items(
    run: WindowRun, sequence: FrameSequence, matches: Sequence[MatchFile], pairs: Sequence[Pair], settings: Settings
) -> list[Item]:
    """An item for each window: its frames' features, the matches among them, the camera."""
    items = []
    of_frame: dict[int, list[Pair]] = defaultdict(list)
    for pair in pairs:
        of_frame[pair[0]].append(pair)
    files: dict[int, list[MatchFile]] = defaultdict(list)
    for file in matches:
        for frame in file.frames:
            files[frame].append(file)
    what = {"camera": settings.camera.model_dump(mode="json"), "settings": settings.solve.model_dump(mode="json")}
    for number, window in enumerate(run.windows):
        frames = [sequence.frames[frame] for frame in window]
        own = [pair for frame in window for pair in of_frame[frame] if pair[1] in window]
        used = {file.path: file for frame in window for file in files[frame]}
        inputs = {
            "window": number,
            "first": window.start,
            "frames": [[one.name, sequence.keys[one.number] or one.reason] for one in frames],
            "pairs": own,
            **what,
        }
        request = {
            "window": number,
            "frames": [one.model_dump(mode="json") for one in frames],
            "matches": [file.model_dump(mode="json") for file in used.values()],
            **what,
        }
        items.append(Item(window_name(number, window), inputs, request, float(len(window))))
    return items


def window_name(number: int, window: range) -> str:
    """As people know it; frames count from 1."""
    return f"window {number} (frames {window.start + 1}-{window.stop})"


def deliver_window(
    run: WindowRun, names: Sequence[str], reasons: Mapping[int, str], backend: str, items: ItemRun, one: Outcome
) -> None:
    """Put a window where it belongs as soon as it is known: its model, or why there is none.

    `reasons` says, by number, why a frame cannot be used.
    """
    number = run.number(one.item.name)
    run.outcomes[number] = one
    try:
        _put_window(run, names, reasons, backend, items, one, number)
    except (OSError, RefusedInput) as error:
        run.undelivered[number] = undelivered(error)


def _put_window(
    run: WindowRun,
    names: Sequence[str],
    reasons: Mapping[int, str],
    backend: str,
    items: ItemRun,
    one: Outcome,
    number: int,
) -> None:
    folder, window = run.folders[number], run.windows[number]
    if one.record is not None:
        deliver_all(one.folder, [*MODEL_FILES, INFO_TEXT, INFO_JSON], folder, items.store.digests)
        return
    info = WindowInfo(
        window=number,
        first_frame=window.start,
        status="failed",
        reason=one.reason or "failed",
        backend=backend,
        frames=[FrameInfo(name=names[frame], registered=False, reason=reasons.get(frame)) for frame in window],
    )
    with atomic_folder(folder) as temporary:  # the model of an earlier run would not be true
        write_window_info(temporary, info)


def forget_other_windows(plan: Plan, run: WindowRun) -> None:
    """Remove windows that an earlier run with other settings left: they are not part of this one."""
    for folder in plan.output.glob("batch_[0-9]*/window_[0-9]*"):
        linked = folder.is_symlink() or folder.parent.is_symlink()
        if folder not in run.folders and (folder / INFO_JSON).is_file() and not linked:
            shutil.rmtree(folder)
            if not any(folder.parent.iterdir()):
                folder.parent.rmdir()


def merge(
    run: ItemRun,
    plan: Plan,
    windows: WindowRun,
    sequence: FrameSequence,
    matches: Sequence[MatchFile],
    settings: Settings,
    stage: Stage,
) -> Outcome | None:
    """One model of all windows, delivered as `merged/` and `alignment.json`; None where no window has a model."""
    solved = windows.solved()
    if not solved:
        _forget_merged(plan)
        return None
    reference = plan.reference
    what = {
        "failed": windows.failed(),
        "camera": settings.camera.model_dump(mode="json"),
        "settings": settings.solve.model_dump(mode="json"),
    }
    inputs = {
        "windows": [[number, item_key(stage, one.item)] for number, one in solved.items()],
        "frames": [[frame.name, key] for frame, key in zip(sequence.frames, sequence.keys, strict=True)],
        "matches": [[file.path.parent.name, file.frames] for file in matches],
        "reference": None if reference is None else [reference.name, run.store.digests.content(reference)],
        **what,
    }
    request = {
        "windows": [{"window": number, "folder": str(one.folder)} for number, one in solved.items()],
        "frames": [frame.model_dump(mode="json") for frame in sequence.frames],
        "matches": [file.model_dump(mode="json") for file in matches],
        "reference": None if reference is None else str(reference.absolute()),
        **what,
    }
    (outcome,) = run_items(run, MERGE, [Item("merged model", inputs, request, 1.0)])
    if outcome.record is None:
        _forget_merged(plan)
    else:
        try:
            deliver_all(outcome.folder, MODEL_FILES, plan.output / "merged", run.store.digests)
            deliver_all(outcome.folder, [ALIGNMENT], plan.output, run.store.digests)
        except OSError as error:
            return replace(outcome, record=None, reason=undelivered(error))
    return outcome


def _forget_merged(plan: Plan) -> None:
    """Remove what an earlier run merged: it would not be true."""
    for name in MODEL_FILES:
        (plan.output / "merged" / name).unlink(missing_ok=True)
    (plan.output / ALIGNMENT).unlink(missing_ok=True)
