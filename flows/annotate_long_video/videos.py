"""The videos of a run: what is known of each, and what is to be followed in it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.formats.hd_epic import scene_graph_file, stationary_objects
from core.formats.sparse_annotations import Problem, SparsePrompt, fit, held_out
from core.models.spec import ModelSpec
from core.video.index import FrameIndex
from core.windows.plan import Plausible, Window, carried, cut, plausible, segments
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
    margin_s: float
    hold_out: float
    parallel: bool


@dataclass(frozen=True)
class Models:
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
        content: its digest.
        info: the record of its index.
        objects: where each is plausible; empty with a text prompt.
        names: id and name of each in the annotations, by number.
        held_out: annotations that are not shown to the tracker, by number of the object.
        stationary: names of objects that never move; None where no scene graph tells.
        segments: windows in segments: only one where they are carried on.
    """

    video_id: str
    path: Path
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

    def max_side(self, scale: float) -> int:
        """The longer side at which frames are processed, in pixels."""
        return max(1, round(scale * max(int(self.info["width"]), int(self.info["height"]))))


def prepare(
    plan: Plan, settings: Settings, scene_graphs: Path, video_id: str, indexed: Outcome, index: FrameIndex
) -> Video | str:
    """What is to be done with one video; or the reason why nothing can be."""
    info = indexed.record or {}
    objects, names, held, problems, moved = [], {}, {}, [], set()
    if plan.annotations is not None:
        given = plan.annotations(video_id, info["width"], info["height"])
        if given is None:
            return f"there are no annotations of this video in the {plan.source}"
        moved = {one.name for one in given.objects}
        fitted = fit(given, info["width"], info["height"], len(index))
        problems = fitted.problems
        if not fitted.objects:
            return f"none of its annotations can be used: {_first_of(problems)}"
        shown, out = held_out(fitted.objects, settings.hold_out)
        for number, (one, whole) in enumerate(zip(shown, fitted.objects, strict=True), 1):
            kept = plausible(one, number, index, settings.margin_s)
            objects.append(replace(kept, spans=plausible(whole, number, index, settings.margin_s).spans))
            names[number] = (one.assoc_id, one.name)
            if one.assoc_id in out:
                held[number] = out[one.assoc_id]
    stationary = None
    graph = scene_graph_file(scene_graphs, video_id)
    if graph.is_file():
        try:
            stationary, unread = stationary_objects(graph, moved)
            problems = [*problems, *unread]
        except (OSError, UnicodeDecodeError) as error:
            problems = [*problems, Problem(str(graph), str(error))]
    length, overlap = (max(1, int(seconds * info["fps"])) for seconds in (settings.window_s, settings.overlap_s))
    windows = cut(len(index), length, min(overlap if settings.overlap_s else 0, length - 1))
    path = Path(indexed.item.request["video"])
    return Video(
        video_id, path, indexed.item.inputs["video"], info, indexed.folder, index, objects, names, held,
        problems, stationary, segments(windows) if settings.parallel else [carried(windows)],
    )  # fmt: skip


def _first_of(problems: Sequence[Problem]) -> str:
    more = f" (and {len(problems) - 1} more problems)" if len(problems) > 1 else ""
    return f"{problems[0].where}: {problems[0].what}{more}" if problems else "there are none"
