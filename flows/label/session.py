"""What the page is about: the videos, what was found in them, and what a person says of it."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

from core.corrections.editing import Edit, Merge, Split, Unhide
from core.errors import MaskflowError, RefusedInput
from core.formats.corrections import (
    VideoCorrections,
    corrections_by_video,
    used_corrections,
)
from core.formats.exchange.dense import DENSE_PREFIX
from core.formats.exchange.registry import read_results
from core.formats.exchange.sources import Sources
from core.formats.exchange.tracked_folder import tracked_video
from core.formats.review_jsonl import ReviewEntry, read_review
from core.formats.tracked_so_far import tracked_so_far
from core.models.options import ModelOptions
from core.models.registry import SEGMENTERS
from core.models.spec import ModelSpec
from core.quality.review_item import REVIEW_FILE
from core.store.cache import STATE
from core.store.digests import DigestCache
from core.store.paths import slugify
from flows.label.documents import CorrectionsDocument, Editor, PromptsDocument
from flows.label.results import ShownResults, find_video
from flows.label.video import LabelVideo
from flows.track_videos.plan import PROBLEMS

_OPEN_AT_ONCE = 32


@dataclass(frozen=True)
class Places:
    """Where everything is: results (there, or to be made), the prompts file, the corrections file."""

    results: Path
    prompts: Path
    corrections: Path

    @classmethod
    def beside(cls, results: Path, prompts: Path | None = None, corrections: Path | None = None) -> Self:
        """With the files that are not named beside the results."""
        return cls(
            results,
            results.with_name("prompts.json") if prompts is None else prompts,
            results.with_name("corrections.json") if corrections is None else corrections,
        )

    @property
    def state(self) -> Path:
        """The folder of what runs keep beside the results."""
        return self.results.parent / STATE

    def results_of(self, video: str) -> list[Path]:
        """Where there may be results of a video: those that were named, or annotations of a long video beside them."""
        return [self.results, self.results.with_name(f"{DENSE_PREFIX}{slugify(Path(video).stem)}.jsonl")]


@dataclass
class _Open:
    video: LabelVideo
    shown: ShownResults | None = None
    path: Path | None = None  # of the results that are shown
    made_ns: tuple[int | None, ...] = ()
    before: list[ShownResults] = field(default_factory=list)
    coming: tuple[Path, ShownResults] | None = None
    lock: Lock = field(default_factory=Lock)


class Session:
    """The videos of a page, opened when somebody looks at them.

    Args:
        videos: their paths, as the flows are given them.
        places: see `Places`.
        segmenter: for previews and looking ahead.
    """

    def __init__(self, videos: Sequence[str], places: Places, segmenter: ModelSpec) -> None:
        self.videos = list(videos)
        self.places = places
        self.segmenter = segmenter
        paths = {video: video for video in videos}
        self.prompts = Editor(PromptsDocument(places.prompts, paths))
        self.corrections = Editor(CorrectionsDocument(places.corrections, paths))
        self._paths = paths
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = Lock()

    def video(self, number: int) -> LabelVideo:
        """A video by its place in the list. Raises `IndexError`, `BadMedia`."""
        return self._opened(number).video

    def shown(self, number: int) -> ShownResults | None:
        """The results of a video, as they are on disk now; None where there are none."""
        opened = self._opened(number)
        with opened.lock:
            candidates = self.places.results_of(self.videos[number])
            made_ns = tuple(_made_ns(one) for path in candidates for one in (path, used_corrections(path)))
            if opened.made_ns != made_ns:
                if opened.shown is not None:
                    opened.before.append(opened.shown)  # somebody may be reading it
                opened.shown = opened.path = None
                for path in candidates:
                    if opened.shown is None and path.exists():
                        opened.shown, opened.path = self._results_of(self.videos[number], path), path
                opened.made_ns = made_ns
            return opened.shown

    def coming(self, number: int) -> ShownResults | None:
        """The results of a video; where there are none yet, what a run that is at work has tracked of it."""
        shown, opened = self.shown(number), self._opened(number)
        if shown is not None:
            return shown
        tracks = tracked_so_far(self.places.state)
        names = self._names(number)
        folder = next((folder for video, folder in tracks.items() if video in names and folder.is_dir()), None)
        with opened.lock:
            if folder is None:
                return None
            if opened.coming is None or opened.coming[0] != folder:
                opened.coming = (folder, ShownResults(tracked_video(folder, "coming"), VideoCorrections()))
                opened.before.append(opened.coming[1])
            return opened.coming[1]

    def results(self, number: int) -> Path:
        """The file of a video's results; where there are none, that in which a first run would put them."""
        shown, path = self.shown(number), self._opened(number).path
        return self.places.results if shown is None or path is None else path

    def editor(self, number: int) -> Editor:
        """Where edits go: corrections where there are results, else prompts."""
        return self.prompts if self.shown(number) is None else self.corrections

    def document(self, number: int) -> dict[str, Any]:
        """Everything that a person said of a video, with the file's revision and what the results were made with."""
        editor, shown, coming = self.editor(number), self.shown(number), self.coming(number)
        revision = editor.revision()
        known = editor.document.read(self.videos[number])
        return {
            "kind": "prompts" if shown is None else "corrections",
            "file": str(editor.document.path),
            "revision": revision,
            "known": known.model_dump(mode="json", by_alias=True),
            "round": 0 if shown is None else shown.round,
            "lanes": [] if coming is None else [lane.__dict__ for lane in coming.lanes(known)],
            "free_id": self._free_id(known, shown),
            "problems": [] if shown is None else self._problems(number),
        }

    def edit(self, number: int, edit: Edit, revision: str) -> None:
        """Apply an edit. Raises as `Editor.edit`."""
        shown = self.shown(number)
        edits: list[Edit] = [edit]
        if shown is not None and isinstance(edit, Split) and edit.new_id in shown.ids:
            raise ValueError(f"there is an object {edit.new_id} already")
        if shown is not None and isinstance(edit, Merge):
            edits = [*self._seen_where(number, shown, edit), edit]
        self.editor(number).edit(self.videos[number], edits, revision)

    def _seen_where(self, number: int, shown: ShownResults, merge: Merge) -> list[Edit]:
        """What is merged into an object ends that one's absence wherever it is seen itself."""
        lane = next((one for one in shown.lanes(self.known(number)) if one.obj_id == merge.obj_id), None)
        runs = [] if lane is None else lane.runs
        made_in = shown.round + 1
        return [
            Unhide(op="unhide", obj_id=merge.into, first=first, last=last, round=made_in) for first, last, _ in runs
        ]

    def known(self, number: int) -> VideoCorrections:
        """What a person said of a video."""
        return self.editor(number).document.read(self.videos[number])

    def review(self, number: int) -> list[ReviewEntry]:
        """The frames of a video to look at, the most suspicious first."""
        path = self._beside(number, REVIEW_FILE)
        return [one for one in read_review(path) if one.video in self._names(number)] if path.is_file() else []

    def _problems(self, number: int) -> list[str]:
        """Prompts and corrections that the last run could not use, in words."""
        path = self._beside(number, PROBLEMS)
        if not path.is_file():
            return []
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        names = self._names(number)
        return [f"{one['where']}: {one['what']}" for one in found if one.get("video") in (None, *names)]

    def _beside(self, number: int, name: str) -> Path:
        """A file about a video beside its results; of annotations of a long video it is called after that."""
        results = self.results(number)
        if results.name.startswith(DENSE_PREFIX):
            stem, suffix = name.split(".")
            return results.with_name(f"{stem}_{results.stem.removeprefix(DENSE_PREFIX)}.{suffix}")
        return results.with_name(name)

    def _names(self, number: int) -> set[str]:
        video = self.videos[number]
        path = Path(video)
        return {video, str(path.expanduser().absolute()), path.name, path.stem, slugify(path.stem)}

    def close(self) -> None:
        """Close all files."""
        for one in self._open.values():
            _close(one)

    def _opened(self, number: int) -> _Open:
        name = self.videos[number]
        with self._lock:
            if name not in self._open:
                self._open[name] = _Open(LabelVideo(Path(name).expanduser()))
                while len(self._open) > _OPEN_AT_ONCE:
                    _, old = self._open.popitem(last=False)
                    _close(old)
            self._open.move_to_end(name)
            return self._open[name]

    def _results_of(self, video: str, path: Path) -> ShownResults | None:
        found = find_video(read_results(path, None, sources_of(self.videos)), Path(video).expanduser())
        if found is None:
            return None
        used, made_with = used_corrections(path), VideoCorrections()
        if used.exists():
            with suppress(RefusedInput):  # of other videos
                made_with = corrections_by_video(used, self._paths)[0].get(video, made_with)
        return ShownResults(found, made_with)

    def _free_id(self, known: VideoCorrections, shown: ShownResults | None) -> int:
        return max(known.obj_ids | (set() if shown is None else shown.ids), default=0) + 1


def _made_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


def _close(one: _Open) -> None:
    one.video.close()
    for shown in [*one.before, one.shown]:
        if shown is not None:
            shown.close()


def sources_of(videos: Sequence[str]) -> Sources:
    """Where results are to look for their videos: of one alone there is no doubt."""
    return Sources(known=tuple(videos), alone=len(videos) == 1)


def videos_of(results: Path) -> list[str]:
    """The videos that results are about. Raises `RefusedInput` where they are not where the results say."""
    try:
        found = [one.path for one in read_results(results) if one.path is not None]
    except MaskflowError as error:
        raise RefusedInput.unusable("results", str(results), str(error)) from None
    there = [one for one in found if Path(one).expanduser().exists()]
    if not there:
        raise RefusedInput.of("results", str(results), "results whose videos are where they say; name the videos, too")
    return there


def open_session(videos: Sequence[str], places: Places, segmenter: str = "auto") -> Session:
    """A session whose masks are made by a segmenter, by its name; see `SEGMENTERS.choose`. Raises `RefusedInput`."""
    backend = SEGMENTERS.choose(segmenter, ModelOptions())
    backend.check(ModelOptions())
    places.results.parent.mkdir(parents=True, exist_ok=True)
    digests = DigestCache(places.state / "digests.json")
    return Session(videos, places, backend.spec(ModelOptions(), digests.content))


def check_results(results: Path, videos: Sequence[str]) -> None:
    """Raise `RefusedInput` where a file that is there holds no results, or none of these videos."""
    if not results.exists():
        return
    try:
        found = read_results(results, None, sources_of(videos))
    except MaskflowError as error:
        reason = str(error).partition("; --format")[0]  # a flag of other commands
        raise RefusedInput.unusable("results", str(results), reason) from None
    if not any(find_video(found, Path(video).expanduser()) for video in videos):
        named = ", ".join(repr(one.path or one.name) for one in found[:3])
        raise RefusedInput.of("results", str(results), f"results of these videos; it holds those of {named}")
