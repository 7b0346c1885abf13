"""What a person corrected, on top of what was annotated: only what changed is followed again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.formats.sparse_annotations import Problem
from core.long_video.assemble_item import OBJECTS_FILE
from core.long_video.correcting import KnownObject, read_known
from core.models.spec import ModelSpec
from flows.annotate_long_video.videos import Settings, Video
from flows.correcting import Correctable, Retracking, failure_of, planned, retracked, track_again, unanswered
from tasks.items import Outcome
from tasks.running import ItemRun


class Corrected:
    """The corrections of a run's videos, worked out from their annotations before corrections.

    `failures`: why those of a video could not be followed.
    """

    def __init__(
        self, run: ItemRun, videos: Sequence[Video], before: Sequence[Outcome], settings: Settings, segmenter: ModelSpec
    ) -> None:
        self._known: dict[str, dict[int, KnownObject]] = {}
        self._plans: dict[str, Retracking] = {}
        for video, outcome in zip(videos, before, strict=True):
            if outcome.record is not None and video.corrections is not None:
                known = self._known[video.video_id] = read_known(outcome.folder / OBJECTS_FILE)
                plan = planned(run.store, _correctable(video, known, settings), video.corrections, segmenter)
                self._plans[video.video_id] = plan
        self._made = track_again(run, list(self._plans.values()))
        failed = {video_id: failure_of(plan, self._made) for video_id, plan in self._plans.items()}
        self.failures = {video_id: reason for video_id, reason in failed.items() if reason is not None}

    def problems(self, video: Video) -> list[Problem]:
        """Where and why corrections of a video could not be used, or are odd."""
        plan = self._plans.get(video.video_id)
        said = [] if plan is None else [*plan.problems, *unanswered(plan, self._made)]
        return [Problem(one.where, one.what) for one in said]

    def request(self, video: Video) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """For a video's item: a `core.long_video.correcting.CorrectionsRequest`, and what of it makes the key."""
        plan = self._plans.get(video.video_id)
        if plan is None or video.video_id in self.failures:
            return None
        again, keys = retracked(plan, self._made)
        times_s = video.index.times_s
        anchors = [(one.prompt.frame, float(times_s[one.prompt.frame])) for one in plan.reaches]
        known = {number: one.model_dump() for number, one in self._known[video.video_id].items()}
        what = {
            "corrections": plan.corrections.model_dump(mode="json", by_alias=True), "anchors": anchors, "known": known,
        }  # fmt: skip
        return {**what, "retracked": again}, {**what, "retracked": keys}


def _correctable(video: Video, known: Mapping[int, KnownObject], settings: Settings) -> Correctable:
    frames = np.arange(0, len(video.index), settings.interval)
    return Correctable(
        name=video.video_id,
        path=video.source,
        content=video.content,
        size=(video.info["width"], video.info["height"]),
        length=len(video.index),
        frames=frames,
        times_s=video.index.times_s[frames],
        labels={number: one.name for number, one in known.items()},
        starts=[(number, frame) for number, one in known.items() for frame in one.starts],
        both_ways=video.names != {},  # what a text finds is followed forward alone
        max_side=video.max_side(settings.scale),
        cost=1.0,
    )
