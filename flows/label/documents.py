"""What a person does on the page, saved as it is done: in the prompts file, or, with results, in the corrections file.

A file may be changed by others, in another tab or by hand: each edit names the revision that it was made on.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from core.corrections.editing import Edit, apply_edit
from core.formats.corrections import (
    Absence,
    CorrectionPrompt,
    Corrections,
    VideoCorrections,
    joined,
    read_corrections,
    write_corrections,
)
from core.formats.prompts import meant_by, read_prompts
from core.store.atomic import write_text
from core.store.lock import exclusive
from core.store.safe_load import load_json


class Changed(Exception):
    """The file is not what the edit was made on."""


class Document(ABC):
    """A file with something about each video.

    Args:
        path: the file; it need not be there yet.
        videos: the path of each video, by the key under which it is written.
    """

    def __init__(self, path: Path, videos: dict[str, str]) -> None:
        self.path = path
        self._videos = videos

    @abstractmethod
    def read(self, video: str) -> VideoCorrections:
        """What it has about a video. Raises `RefusedInput` where it is not of its form."""

    @abstractmethod
    def write(self, video: str, known: VideoCorrections) -> None:
        """Put that in its place, atomically; what is there about other videos stays."""


class Editor:
    """Edits a document, one edit at a time."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._lock = Lock()

    def revision(self) -> str:
        """Of the file, as it is now."""
        try:
            return hashlib.sha256(self.document.path.read_bytes()).hexdigest()[:16]
        except FileNotFoundError:
            return "none"

    def edit(self, video: str, edits: Sequence[Edit], revision: str) -> VideoCorrections:
        """Apply edits, together or not at all.

        Raises:
            Changed: the file is of another revision by now.
            ValueError: an edit contradicts what is there.
            RefusedInput: the file cannot be read.
        """
        with self._lock, exclusive(self.document.path):
            if revision != self.revision():
                raise Changed
            known = self.document.read(video)
            for edit in edits:
                known = apply_edit(known, edit)
            self.document.write(video, known)
            return known


class CorrectionsDocument(Document):
    """`corrections.json`, see `core.formats.corrections`."""

    def read(self, video: str) -> VideoCorrections:
        """See `Document.read`."""
        found, _ = meant_by("corrections", self._all(), self._videos)
        return joined(self.path, video, found.get(video, []))

    def _all(self) -> dict[str, VideoCorrections]:
        return read_corrections(self.path).videos if self.path.exists() else {}

    def write(self, video: str, known: VideoCorrections) -> None:
        """See `Document.write`."""
        every = self._all()
        _, others = meant_by("corrections", every, {video: self._videos[video]})
        write_corrections(self.path, Corrections(videos={**{key: every[key] for key in others}, video: known}))


class PromptsDocument(Document):
    """A prompts file, see `core.formats.prompts`: prompts, labels, and from where on an object is gone."""

    def read(self, video: str) -> VideoCorrections:
        """See `Document.read`."""
        found, _ = meant_by("prompts", read_prompts(self.path) if self.path.exists() else {}, self._videos)
        entries = [entry for part in found.get(video, []) for entry in part]
        shown = [
            CorrectionPrompt(
                frame=one.frame, obj_id=one.obj_id or 1, label=one.label, box=one.box, points=one.points, mask=one.mask
            )
            for one in entries
            if not one.gone
        ]
        labels = {one.obj_id: one.label for one in entries if one.label is not None and one.obj_id is not None}
        gone = [Absence(obj_id=one.obj_id or 1, first=one.frame) for one in entries if one.gone]
        return VideoCorrections(prompts=shown, absent=[_until_shown(one, shown) for one in gone], labels=labels)

    def write(self, video: str, known: VideoCorrections) -> None:
        """See `Document.write`. Raises `ValueError` for what a prompts file has no place for."""
        if known.ids or known.accepted:
            raise ValueError("objects are merged, split and accepted in results: run first")
        for gone in known.absent:
            again = [one.frame for one in known.prompts if one.obj_id == gone.obj_id and one.frame > gone.first]
            if not gone.first or (gone.last is not None and gone.last + 1 not in again):
                raise ValueError(
                    "before a run an object can be absent from a frame on, until it is drawn again; "
                    "one that is not there at all is deleted (×)"
                )
        content: dict[str, Any] = load_json(self.path) if self.path.exists() else {}
        _, others = meant_by("prompts", content, {video: self._videos[video]})
        entries: list[dict[str, Any]] = []
        for one in known.prompts:
            entry = one.model_dump(mode="json", exclude_defaults=True, exclude={"round", "label"})
            label = known.labels.get(one.obj_id) or one.label
            entries.append({"frame": one.frame, **entry, **({} if label is None else {"label": label})})
        entries += [{"frame": one.first, "obj_id": one.obj_id, "gone": True} for one in known.absent if one.first]
        entries.sort(key=lambda one: (one["frame"], one["obj_id"]))
        kept = {key: content[key] for key in others}
        write_text(self.path, json.dumps({**kept, video: entries}, indent=1, ensure_ascii=False) + "\n")


def _until_shown(gone: Absence, shown: list[CorrectionPrompt]) -> Absence:
    """It is gone until it is shown again."""
    again = [one.frame for one in shown if one.obj_id == gone.obj_id and one.frame > gone.first]
    return gone if not again else gone.model_copy(update={"last": min(again) - 1})
