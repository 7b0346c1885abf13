"""The parameters of `track_videos`, checked: everything that can be refused is, before any work begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.addresses.address import is_address
from core.addresses.mirror import shown
from core.errors import RefusedInput
from core.formats.corrections import VideoCorrections, corrections_by_video
from core.formats.exchange.model import VideoResults
from core.formats.prompts import PromptEntry, keys_of, prompts_by_video
from core.formats.results_jsonl import head_of_results
from core.models.backend import Backend
from core.models.roles import Detector, VideoSegmenter
from core.store.paths import inside
from core.video.sampling import Part
from core.video.video_paths import path_parts, short_names
from flows.checking import once_a_run
from flows.options import Devices, Execution, Models, Taken, place
from flows.track_videos.inputs import given_detections, listed_videos
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
    version=4,
)


@dataclass(frozen=True)
class Plan:
    """A checked set of parameters: everything that can be refused has been.

    Attributes:
        names: what the files about each video are called.
        notes: what a person should know before the run.
    """

    videos: list[str]
    names: dict[str, str]
    text_prompt: str | None
    prompts: dict[str, list[PromptEntry]]
    detections: dict[str, VideoResults]
    corrections: dict[str, VideoCorrections]
    part: Part
    models: Models
    detector: Backend[Detector] | None
    segmenter: Backend[VideoSegmenter]
    placement: Placement
    results: Path
    video_dir: Path | None
    recording_dir: Path | None
    notes: list[str]

    def annotated_video(self, video: str) -> Path | None:
        """Where its annotated video goes, where one is wanted."""
        return None if self.video_dir is None else inside(self.video_dir, f"{self.names[video]}_tracked.mp4")

    def recording(self, video: str) -> Path | None:
        """Where its recording goes, where one is wanted."""
        return None if self.recording_dir is None else inside(self.recording_dir, f"{self.names[video]}.rrd")


@once_a_run(
    inputs=("prompts", "detections", "corrections"),
    output_folders=("output_video_dir", "recording"),
    output_files=("output_jsonl",),
)
def check(
    videos: Sequence[str] | None,
    video_list: Path | None,
    output_jsonl: Path,
    text_prompt: str | None,
    prompts: Path | None,
    detections: Path | None,
    corrections: Path | None,
    output_video_dir: Path | None,
    recording: Path | None,
    split_shots: bool,
    part: Taken,
    models: Models,
    devices: Devices,
    execution: Execution,
) -> Plan:
    """Check everything that can be checked before work begins. Raises `RefusedInput` with parameter, value, remedy."""
    listed = listed_videos(videos, video_list)[: part.limit]
    text = (text_prompt or "").strip() or None
    if sum(source is not None for source in (text, prompts, detections)) != 1:
        raise RefusedInput.of(
            "text_prompt", text_prompt, "give a text prompt or a prompts file, or detections: one of them"
        )
    if split_shots:
        _check_splitting(output_jsonl, prompts, detections)
    by_hand: dict[str, list[PromptEntry]] = {}
    notes = []
    if prompts is not None:
        by_hand, unused = prompts_by_video(prompts, {video: video for video in listed})
        if unused:
            notes.append(f"Prompts of {keys_of(unused)} are not used: no video of this run is called so")
    found, more = ({}, []) if detections is None else given_detections(detections, listed)
    notes += more
    corrected: dict[str, VideoCorrections] = {}
    if corrections is not None and not split_shots:  # else they are of the shots
        corrected, unused = corrections_by_video(corrections, {video: video for video in listed})
        if unused:
            notes.append(f"Corrections of {keys_of(unused)} are not used: no video of this run is called so")
    times = part.part
    finder, follower = models.choose(text)
    for parameter, folder in (
        ("output_jsonl", output_jsonl.parent), ("output_video_dir", output_video_dir), ("recording", recording)
    ):  # fmt: skip
        if folder is not None:
            check_writable(parameter, folder)
    _check_results_file(
        output_jsonl, [path for path in (video_list, prompts, detections, corrections) if path is not None]
    )
    notes += _about_results_before(output_jsonl, text, None if split_shots else listed)
    placement = place(devices, execution)
    names = dict(zip(listed, short_names([path_parts(video) for video in listed]), strict=True))
    return Plan(
        listed, names, text, by_hand, found, corrected, times, models, finder, follower, placement, output_jsonl,
        output_video_dir, recording, notes,
    )  # fmt: skip


def _about_results_before(path: Path, text: str | None, videos: Sequence[str] | None) -> list[str]:
    """That a file of results will be written over, where it holds others; without `videos`, of another text."""
    before = head_of_results(path)
    if before is None or (before.text_prompt == text and (videos is None or before.video_path in videos)):
        return []
    what = repr(before.text_prompt or "prompts by hand") if before.text_prompt != text else "other videos"
    return [f"{path} held results of {what} ({before.video_path} …), and is written anew"]


def _check_splitting(output_jsonl: Path, prompts: Path | None, detections: Path | None) -> None:
    if prompts is not None or detections is not None:
        accepted = "a text_prompt with it: prompts and detections name frames of the whole video"
        raise RefusedInput.of("split_shots", True, accepted)
    if is_address(shown(output_jsonl)):
        raise RefusedInput.of("output_jsonl", shown(output_jsonl), "with split_shots, a file on this machine")


def _check_results_file(path: Path, inputs: Sequence[Path]) -> None:
    if path.is_dir() or path.name == FAILURES:
        raise RefusedInput.of("output_jsonl", str(path), f"a file, not a folder, and not called {FAILURES}")
    if path.resolve() in (one.resolve() for one in inputs):
        raise RefusedInput.of("output_jsonl", str(path), "a file of its own, none of the inputs")
