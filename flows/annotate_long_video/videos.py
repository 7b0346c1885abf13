"""The videos of a run: what is known of each, and what is to be followed in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.addresses.address import as_address
from core.errors import MaskflowError
from core.formats.corrections import VideoCorrections
from core.formats.hd_epic import scene_graph_file, stationary_objects
from core.formats.sparse_annotations import Problem, SparseAnnotations, SparsePrompt, fit, held_out
from core.long_video.plan import Plausible, Window, carried, cut, plausible, segments
from core.models.spec import ModelSpec
from core.video.index import FrameIndex
from flows.annotate_long_video.plan import Plan
from tasks.items import Outcome


@dataclass(frozen=True)
class Settings:
    """What the user chose that changes results; times in seconds, intervals in source frames."""

    window_s: float
    overlap_s: float
    scale: float
    interval: int
    detection_interval: int
    max_objects: int | None
    margin_s: float
    hold_out: float
    parallel: bool


@dataclass(frozen=True)
class ModelSpecs:
    """The models decided upon, and the text for the detector."""

    segmenter: ModelSpec
    detector: ModelSpec | None
    text_prompt: str | None

    @property
    def key(self) -> dict[str, Any]:
        """What results depend on."""
        detector = None if self.detector is None else self.detector.key
        return {"segmenter": self.segmenter.key, "detector": detector, "text_prompt": self.text_prompt}

    @property
    def request(self) -> dict[str, Any]:
        """What a worker needs."""
        detector = None if self.detector is None else self.detector.model_dump(mode="json")
        segmenter = self.segmenter.model_dump(mode="json")
        return {"segmenter": segmenter, "detector": detector, "text_prompt": self.text_prompt}


@dataclass(frozen=True, eq=False)
class Video:
    """One video that can be annotated.

    Attributes:
        source: its path, or address.
        content: its digest.
        info: the record of its index.
        objects: where each is plausible; empty with a text prompt.
        names: id and name of each in the annotations, by number.
        held_out: annotations that are not shown to the tracker, by number of the object.
        stationary: names of objects that never move; None without a scene graph.
        segments: windows in segments: only one where they are carried on.
        corrections: what a person put right in earlier annotations; None: nothing.
    """

    video_id: str
    source: str
    content: str
    info: dict[str, Any]
    index_folder: Path
    index: FrameIndex
    objects: list[Plausible]
    names: dict[int, tuple[str, str]]
    held_out: dict[int, list[SparsePrompt]]
    problems: list[Problem]
    stationary: list[str] | None
    segments: list[list[Window]]
    corrections: VideoCorrections | None = None

    def max_side(self, scale: float) -> int:
        """The longer side at which frames are processed, in pixels."""
        return max(1, round(scale * max(int(self.info["width"]), int(self.info["height"]))))


class NothingToDo(MaskflowError):
    """A video cannot be annotated. `problems` are the annotations that could not be used."""

    def __init__(self, reason: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(reason)
        self.problems = problems


def prepare(plan: Plan, settings: Settings, video_id: str, indexed: Outcome, index: FrameIndex) -> Video:
    """What is to be done with one video. Raises `NothingToDo`."""
    info = indexed.record or {}
    given = SparseAnnotations()
    if plan.annotations is not None:
        read = plan.annotations(video_id, info["width"], info["height"], index.times_s)
        if read is None:
            raise NothingToDo(f"there are no annotations of this video in the {plan.source}")
        given = fit(read, info["width"], info["height"], len(index))
        if not given.objects:
            first = f"{given.problems[0].where}: {given.problems[0].what}" if given.problems else "there are none"
            raise NothingToDo(f"none of its annotations can be used: {first}", given.problems)
    whole = [plausible(one, number, index, settings.margin_s) for number, one in enumerate(given.objects, 1)]
    kept = {
        (one.assoc_id, run[0]) for one, known in zip(given.objects, whole, strict=True) for run in known.runs("forward")
    }
    shown, out = held_out(given.objects, settings.hold_out, kept)
    problems = list(given.problems)
    if settings.hold_out and not out:
        problems.append(Problem("hold_out", "no annotation can be spared: nothing is judged"))
    if not info["seekable"]:
        slow = "its frames cannot be reached directly: every window is read from the start; H.264 in MP4 is far faster"
        problems.append(Problem(f"video {video_id}", slow))
    stationary, unread = _stationary(scene_graph_file(plan.scene_graphs, video_id), given.moved)
    return Video(
        video_id=video_id,
        source=str(as_address(plan.videos[video_id] or "") or indexed.item.request["video"]),
        content=indexed.item.inputs["video"],
        info=info,
        index_folder=indexed.folder,
        index=index,
        objects=[
            replace(plausible(one, known.obj_id, index, settings.margin_s), spans=known.spans)
            for one, known in zip(shown, whole, strict=True)
        ],
        names={number: (one.assoc_id, one.name) for number, one in enumerate(shown, 1)},
        held_out={number: out[one.assoc_id] for number, one in enumerate(shown, 1) if one.assoc_id in out},
        problems=[*problems, *unread],
        stationary=stationary,
        segments=_segments(settings, len(index), info["fps"]),
        corrections=plan.corrections.get(video_id),
    )


def _stationary(graph: Path, moved: set[str]) -> tuple[list[str] | None, list[Problem]]:
    if not graph.is_file():
        return None, []
    try:
        return stationary_objects(graph, moved)
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(str(graph), str(error))]


def _segments(settings: Settings, frames: int, fps: float) -> list[list[Window]]:
    length, overlap = max(1, int(settings.window_s * fps)), int(settings.overlap_s * fps)
    if settings.parallel and overlap < settings.interval and length < frames:
        sizes = f"their overlap is {overlap} frames, and annotations are {settings.interval} frames apart"
        raise NothingToDo(f"windows cannot be joined: {sizes}; give a longer window_overlap, or mode carry")
    windows = cut(frames, length, min(overlap, length - 1))
    return segments(windows) if settings.parallel else [carried(windows)]
