"""Frames and objects put down in any order, and taken up frame by frame or track by track: on disk, not in memory."""

import json
import sqlite3
import weakref
from collections.abc import Iterator
from itertools import groupby

from core.formats.exchange.model import BadResults, Ignored, SeenFrame, SeenObject
from core.video.limits import MAX_FRAMES

_AT_ONCE = 500
_MOST_IDS = 2**31


class Shelf:
    """A temporary database; it is gone with the object."""

    def __init__(self) -> None:
        # No name: SQLite keeps it in a file of its own that nobody else sees, and removes it.
        self._db = sqlite3.connect("", check_same_thread=False)
        weakref.finalize(self, self._db.close)
        self._db.execute("CREATE TABLE frames (video TEXT, frame INT, time REAL, PRIMARY KEY (video, frame))")
        self._db.execute(
            "CREATE TABLE objects (video TEXT, frame INT, id INT, place INT, content TEXT,"
            " PRIMARY KEY (video, frame, id)) WITHOUT ROWID"
        )
        self._db.execute("CREATE TABLE ignored (video TEXT, frame INT, place INTEGER PRIMARY KEY, content TEXT)")
        self._db.execute("CREATE INDEX ignored_by_frame ON ignored (video, frame)")
        self._placed = 0

    def frame(self, video: str, source_frame: int, time_s: float) -> None:
        """Put down a frame; the first time given for it counts. Raises `BadResults` for a number no video has."""
        if not 0 <= source_frame < MAX_FRAMES:
            raise BadResults(f"frame {source_frame}: frames from 0 to {MAX_FRAMES - 1:,} are read")
        self._db.execute("INSERT OR IGNORE INTO frames VALUES (?, ?, ?)", (video, source_frame, time_s))

    def put(self, video: str, source_frame: int, one: SeenObject) -> None:
        """Put down an object. Raises `BadResults` where that id is on the frame already, or is none."""
        if not 0 <= one.obj_id < _MOST_IDS:
            raise BadResults(f"object {one.obj_id}: ids from 0 to {_MOST_IDS - 1:,} are read")
        content = json.dumps(
            (one.label, one.box_xyxy, one.score, one.rle, one.detection_score, one.name), ensure_ascii=False
        )
        self._placed += 1
        try:
            self._db.execute(
                "INSERT INTO objects VALUES (?, ?, ?, ?, ?)", (video, source_frame, one.obj_id, self._placed, content)
            )
        except sqlite3.IntegrityError:
            raise BadResults(f"object {one.obj_id} is twice on frame {source_frame}") from None

    def ignore(self, video: str, source_frame: int, one: Ignored) -> None:
        """Put down what is not judged on a frame."""
        content = json.dumps((one.rule, one.label, one.box_xyxy, one.rle, one.obj_id), ensure_ascii=False)
        row = (video, source_frame, content)
        self._db.execute("INSERT INTO ignored (video, frame, content) VALUES (?, ?, ?)", row)

    def put_frames(self, video: str, frames: Iterator[SeenFrame]) -> None:
        """Put down frames with all their objects."""
        for frame in frames:
            self.frame(video, frame.source_frame, frame.time_s)
            for one in frame.objects:
                self.put(video, frame.source_frame, one)
            for mark in frame.ignored:
                self.ignore(video, frame.source_frame, mark)

    def frames(self, video: str, shift: int = 0) -> Iterator[SeenFrame]:
        """The frames of a video, ascending, each with its objects in the order in which they were put down.

        `shift` is added to ids: some formats count from 0, here 0 is nobody.
        """
        rows = self._rows(
            "SELECT f.frame, f.time, o.id, o.content FROM frames f LEFT JOIN objects o"
            " ON o.video = f.video AND o.frame = f.frame WHERE f.video = ? ORDER BY f.frame, o.place",
            video,
        )
        query = "SELECT frame, content FROM ignored WHERE video = ? ORDER BY frame, place"
        marks = groupby(self._rows(query, video), key=lambda row: row[0])
        marked, ignored = next(marks, (None, iter(())))
        for (frame, time_s), group in groupby(rows, key=lambda row: row[:2]):
            seen = tuple(_object(row[2] + shift, row[3]) for row in group if row[2] is not None)
            if frame == marked:
                yield SeenFrame(frame, time_s, seen, tuple(_ignored(row[1]) for row in ignored))
                marked, ignored = next(marks, (None, iter(())))
            else:
                yield SeenFrame(frame, time_s, seen)

    def tracks(self, video: str) -> Iterator[tuple[int, Iterator[tuple[int, SeenObject]]]]:
        """The tracks of a video by id, each with its source frames and sightings, ascending."""
        rows = self._rows("SELECT id, frame, content FROM objects WHERE video = ? ORDER BY id, frame", video)
        for obj_id, group in groupby(rows, key=lambda row: row[0]):
            yield obj_id, ((row[1], _object(row[0], row[2])) for row in group)

    def shift(self, video: str) -> int:
        """What has to be added to a video's ids so that they count from 1: 1 where there is an id 0."""
        least = self._db.execute("SELECT min(id) FROM objects WHERE video = ?", (video,)).fetchone()[0]
        return int(least == 0)

    def has(self, video: str, source_frame: int) -> bool:
        """Whether a frame was put down."""
        found = self._db.execute("SELECT 1 FROM frames WHERE video = ? AND frame = ?", (video, source_frame))
        return found.fetchone() is not None

    def positions(self, video: str) -> Iterator[tuple[int, float]]:
        """The frames of a video without their objects: source frame and time."""
        yield from self._rows("SELECT frame, time FROM frames WHERE video = ? ORDER BY frame", video)

    def _rows(self, query: str, video: str) -> Iterator[tuple]:  # type: ignore[type-arg]
        cursor = self._db.execute(query, (video,))
        while rows := cursor.fetchmany(_AT_ONCE):
            yield from rows


def _object(obj_id: int, content: str) -> SeenObject:
    label, box, score, rle, detection_score, name = json.loads(content)
    return SeenObject(obj_id, label, tuple(box), score, rle, detection_score, name)


def _ignored(content: str) -> Ignored:
    rule, label, box, rle, obj_id = json.loads(content)
    return Ignored(rule, label, tuple(box), rle, obj_id)
