"""What is tracked: an item for each video."""

import socket
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.addresses.address import as_address
from core.addresses.remote import AddressError
from core.errors import MaskflowError, RefusedInput, reason_of
from core.formats.detections_jsonl import write_detections
from core.formats.exchange.model import VideoResults
from core.models.spec import ModelSpec
from core.store.digests import sha256_file
from flows.track_videos.plan import Plan
from tasks.elsewhere import look
from tasks.inputs import source_of
from tasks.items import Item, Outcome
from tasks.store import RunStore


def model_specs(plan: Plan, store: RunStore) -> dict[str, ModelSpec]:
    """The models that are used, by role."""
    return {
        role: backend.spec(plan.models, store.digests.content)
        for role, backend in (("detector", plan.detector), ("segmenter", plan.segmenter))
        if backend is not None
    }


def items_of(
    plan: Plan, store: RunStore, models: Mapping[str, ModelSpec], settings: dict[str, Any]
) -> tuple[list[Item], dict[str, str]]:
    """An item for each video that is there, but for the digest of its content; the reason for each that is not."""
    items, unreadable = [], {}
    look(address for video in plan.videos if (address := as_address(video)) is not None)
    keys = {role: model.key for role, model in models.items()}
    settings = {**settings, "part": {"start_s": plan.part.start_s, "end_s": plan.part.end_s}}
    loaded = {role: model.model_dump(mode="json") for role, model in models.items()}
    for video in plan.videos:
        if plan.text_prompt is None and video not in plan.prompts and video not in plan.detections:
            unreadable[video] = "there are no prompts or detections of this video"
            continue
        try:
            source, size = source_of(video)
        except (OSError, ValueError, RuntimeError, AddressError) as error:
            unreadable[video] = _missing(video, error)
            continue
        prompts = [entry.model_dump(mode="json") for entry in plan.prompts.get(video, [])]
        what = {"text_prompt": plan.text_prompt, "prompts": prompts, **settings}
        request = {"video": source, **what, **loaded}
        if video in plan.detections:
            try:
                file = _write_detections(store, plan.detections[video])
            except (MaskflowError, OSError) as error:
                unreadable[video] = f"its detections cannot be used: {reason_of(error)}"
                continue
            least = {} if plan.models.box_threshold is None else {"min_score": plan.models.box_threshold}
            what |= {"detections": file.stem, **least}
            request |= {"detections": str(file), **least}
        like = (str(plan.text_prompt), str(settings))
        items.append(Item(video, {**what, **keys}, request, float(size), like=like))
    return items, unreadable


def source_again(tracked: Outcome) -> str:
    """What a later stage's request calls a tracked video: its path, or its address: it may not be here any more."""
    return as_address(tracked.item.name) or str(tracked.item.request["video"])


def _write_detections(store: RunStore, found: VideoResults) -> Path:
    """A video's detections as a file for its worker, called after its content."""
    folder = store.root / "detections"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as temporary:
        written = Path(temporary) / "detections.jsonl"
        write_detections(written, found.read())
        return written.replace(folder / f"{sha256_file(written)}.jsonl")


def _missing(video: str, error: Exception) -> str:
    """The reason; of a path that does not exist also where it was looked for: runs may start on other machines."""
    if isinstance(error, RefusedInput):
        return f"not accepted: {error.accepted}"
    if not isinstance(error, FileNotFoundError):
        return reason_of(error)
    place = "" if Path(video).is_absolute() else f" in {Path.cwd()}"
    return f"{reason_of(error)} (looked for{place} on {socket.gethostname()})"
