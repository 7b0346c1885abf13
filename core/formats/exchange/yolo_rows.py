"""What the numbers of YOLO's rows are: nothing says so but `kpt_shape` and the rows of the whole data set together.

After the class: a box (x, y, width, height), or corners of a polygon (x, y, x, y, x, y, …), or a box with key points;
then, in what trackers and detectors write, a score, an id, or both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.formats.exchange.model import BadResults, SeenObject
from core.formats.exchange.parsing import checked_box, checked_score, whole
from core.masks import polygons, rle

_BOX = 4


@dataclass(frozen=True)
class RowKind:
    """How rows are read.

    Attributes:
        scores: a score comes after box, polygon or key points.
        ids: an id comes last.
        highest_id: of the data set: rows without one get ids above.
        keypoints: numbers for key points after the box; they are not read.
        noted: what was taken for granted, in words; "" for nothing.
    """

    scores: bool = False
    ids: bool = False
    keypoints: int = 0
    noted: str = ""
    highest_id: int = 0

    @property
    def more(self) -> int:
        """How many numbers come after box, polygon or key points."""
        return self.scores + self.ids


def kind_of_rows(files: Iterable[Iterable[str]], kpt_shape: Any = None) -> RowKind:
    """Find out what rows hold, from all of them. Raises `BadResults` for a `kpt_shape` that is none.

    Numbers that are whole, from 1 up, and never twice in a file are ids; of rows that could be polygons only where one
    is above 1, too.

    Args:
        files: the rows of each file of the data set; broken ones count for nothing.
        kpt_shape: of `data.yaml`: how many key points, with how many numbers each.
    """
    keypoints = _key_points(kpt_shape)
    tails = _Tails()
    for lines in files:
        tails.look_at(lines, keypoints)
    lengths, ids, highest = tails.lengths, tails.ids, int(tails.highest)
    if keypoints:
        more = max(lengths, default=_BOX) - _BOX
        if more not in (0, 1, 2):
            raise BadResults(f"rows are longer than a box and kpt_shape {kpt_shape}")
        return RowKind(more - ids > 0, ids and more > 0, keypoints, "poses: key points are left out", highest * ids)
    boxes = max(lengths, default=_BOX) <= _BOX + 2
    if boxes and _BOX + 2 in lengths and tails.ids_of_longest and tails.shares:
        note = "numbers after boxes are taken as score and id; trackers leave out ids that are not certain"
        if lengths & {_BOX, _BOX + 1} or highest > 1 or lengths == {_BOX + 2}:
            return RowKind(True, True, 0, note, highest)
    if lengths and all(length % 2 for length in lengths):
        note = "numbers after boxes or polygons are taken as ids" if ids else ""
        return RowKind(not ids, ids, 0, note, highest * ids)
    if lengths and ids and highest > 1 and tails.shares and not any(length % 2 for length in lengths):
        return RowKind(True, True, 0, "the last two numbers of rows are taken as score and id", highest)
    return RowKind()


class _Tails:
    """What the last numbers of all rows have in common.

    Attributes:
        lengths: of rows beyond a box, key points not counted.
        ids: whether the last number is whole, from 1 up, and never twice in a file.
        ids_of_longest: the same of rows of six numbers alone.
        shares: whether the last but one is from 0 to 1, there.
        highest: of the last numbers.
    """

    def __init__(self) -> None:
        self.lengths: set[int] = set()
        self.ids = self.ids_of_longest = self.shares = True
        self.highest = 0.0

    def look_at(self, lines: Iterable[str], keypoints: int) -> None:
        """Take up the rows of one file."""
        seen: set[float] = set()
        for line in lines:
            values = _numbers(line)[1:]
            if len(values) <= _BOX:
                continue
            length, last = len(values) - keypoints, values[-1]
            self.lengths.add(length)
            is_id = last == int(last) and last >= 1 and last not in seen
            self.ids &= is_id
            if length != _BOX + 1:
                self.shares &= 0 <= values[-2] <= 1
            if length == _BOX + 2:
                self.ids_of_longest &= is_id
            if is_id:
                self.highest = max(self.highest, last)
                seen.add(last)


def _numbers(line: str) -> list[float]:
    try:
        values = [float(value) for value in line.split()]
    except ValueError:
        return []
    return values if np.isfinite(values).all() else []


def _key_points(kpt_shape: Any) -> int:
    if kpt_shape is None:
        return 0
    if not isinstance(kpt_shape, list) or len(kpt_shape) != 2:
        raise BadResults(f"kpt_shape is the number of key points and of numbers for each, not {kpt_shape!r}")
    return whole(kpt_shape[0], "kpt_shape") * whole(kpt_shape[1], "kpt_shape")


def read_row(line: str, otherwise: int, kind: RowKind, labels: Mapping[int, str], size: tuple[int, int]) -> SeenObject:
    """An object. Raises `ValueError` or `BadResults` for a row that is none.

    Args:
        line: the row.
        otherwise: its id where rows have none.
        kind: of the data set's rows.
        labels: names of the classes.
        size: height and width of the picture.
    """
    values = [float(value) for value in line.split()]
    number = whole(values[0], "class")
    if number not in labels:
        raise BadResults(f"class {number} has no name")
    shares = values[1:]
    plain = _BOX + kind.keypoints
    if kind.keypoints or len(shares) <= _BOX + kind.more:  # a box, with as much behind it as there is
        shares, tail = shares[:plain], shares[plain:]
    else:
        end = len(shares) - kind.more
        shares, tail = shares[:end], shares[end:]
    obj_id = whole(tail[-1], "id") if kind.ids and len(tail) == kind.more else otherwise
    score = checked_score(tail[0]) if kind.scores and tail else None
    height, width = size
    if kind.keypoints or len(shares) == _BOX:
        x, y, w, h = np.array(shares[:_BOX]) * (width, height, width, height)
        box = checked_box(float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2))
        return SeenObject(obj_id, labels[number], box, score)
    corners = [share * (width, height)[place % 2] for place, share in enumerate(shares)]
    mask = polygons.fill([corners], height, width)
    return SeenObject(obj_id, labels[number], rle.box_xyxy(mask), score, mask)
