"""The parameters of `track_videos`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import RefusedInput
from core.formats.prompts import PromptEntry, read_prompts
from core.formats.video_list import read_video_list
from core.models.backend import Backend
from core.models.roles import Detector, VideoSegmenter
from core.video.video_paths import path_parts
from flows.checking import once_a_run
from flows.options import Devices, Execution, Models, place
from tasks.items import Stage
from tasks.placement import Placement
from tasks.store import check_writable

FAILURES = "failures.jsonl"
PROBLEMS = "problems.jsonl"
TRACK = Stage(
    "track",
    "core.tracking.video_item:track_video",
    lambda done: [
        f"{done['frames']} frames in {done['seconds']:.2f}s ({done['frames'] / max(done['seconds'], 1e-9):.2f} fps)",
        f"{done['objects']} objects tracked",
    ],
)


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been."""

    videos: list[str]
    text_prompt: str | None
    prompts: dict[str, list[PromptEntry]]
    models: Models
    detector: Backend[Detector] | None
    segmenter: Backend[VideoSegmenter]
    placement: Placement
    results: Path
    video_dir: Path | None
    recording_dir: Path | None


@once_a_run
def check(
    video_list: Path,
    output_jsonl: Path,
    text_prompt: str | None,
    prompts: Path | None,
    output_video_dir: Path | None,
    recording: Path | None,
    models: Models,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    videos = _read_list(video_list)
    text = (text_prompt or "").strip() or None
    if (text is None) == (prompts is None):
        raise RefusedInput.of("text_prompt", text_prompt, "give a text prompt or a prompts file, one of the two")
    by_hand = _by_video(read_prompts(prompts), videos) if prompts is not None else {}
    if prompts is not None and not by_hand:
        raise RefusedInput.of("prompts", str(prompts), f"its keys are paths of videos of the list ({videos[0]} …)")
    finder, follower = models.choose(text)
    for parameter, folder in (
        ("output_jsonl", output_jsonl.parent), ("output_video_dir", output_video_dir), ("recording", recording)
    ):  # fmt: skip
        if folder is not None:
            check_writable(parameter, folder)
    if output_jsonl.is_dir() or output_jsonl.name == FAILURES:
        raise RefusedInput.of("output_jsonl", str(output_jsonl), f"a file, not a folder, and not called {FAILURES}")
    if output_jsonl.resolve() in (path.resolve() for path in (video_list, prompts) if path is not None):
        raise RefusedInput.of("output_jsonl", str(output_jsonl), "a file of its own, none of the inputs")
    placement = place(devices, execution)
    return Plan(
        videos, text, by_hand, models, finder, follower, placement, output_jsonl, output_video_dir, recording
    )  # fmt: skip


def _read_list(path: Path) -> list[str]:
    try:
        videos = read_video_list(path)
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput.of("video_list", str(path), f"a readable UTF-8 text file ({error})") from None
    if not videos:
        raise RefusedInput.of(
            "video_list", str(path), "a file with the path of a video on each line; this one is empty"
        )
    return videos


def _by_video(prompts: dict[str, list[PromptEntry]], videos: Sequence[str]) -> dict[str, list[PromptEntry]]:
    """Prompts by the video that their key means: its path, or the end of its path where only one ends so."""
    by_name: dict[str, list[str]] = {}
    for video in videos:
        by_name.setdefault(path_parts(video)[-1], []).append(video)
    found: dict[str, list[PromptEntry]] = {}
    for key, entries in prompts.items():
        parts = path_parts(key)
        alike = by_name.get(parts[-1], [])
        meant = [key] if key in alike else [one for one in alike if path_parts(one)[-len(parts) :] == parts]
        if len(meant) > 1:
            raise RefusedInput.of("prompts", key, f"a path of one video; it could be {' or '.join(meant[:5])}")
        for video in meant:
            found.setdefault(video, []).extend(entries)
    return found
