"""What MOT and MOTS have in common: folders of sequences with `seqinfo.ini`, `gt/gt.txt` and `gt/labels.txt`.

    PART/VIDEO/seqinfo.ini     PART/VIDEO/gt/gt.txt     PART/VIDEO/gt/labels.txt     PART/VIDEO/img1/000001.jpg

Frames count from 1: frame 1 is source frame 0; in files that have a frame 0 (KITTI) from 0.
"""

import configparser
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from core.formats.exchange.model import BadResults, Census, VideoResults
from core.formats.exchange.parsing import telling, whole
from core.formats.exchange.sources import Sources
from core.store.paths import visible
from core.video.frame_names import Origin
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.limits import MAX_FRAMES
from core.video.video_paths import short_names

_INFO, _LABELS = "seqinfo.ini", "labels.txt"
_NO_ROWS = re.compile(r"(?i)^(labels|classes|readme.*|.*_(summary|detailed))\.txt$")
_LONGEST_LINE = 2**22


def classes(labels: Sequence[str], known: Mapping[str, int], left_out: Collection[int] = ()) -> dict[str, int]:
    """Numbers of labels: those the benchmark knows have its own, the others follow.

    Args:
        labels: all, sorted.
        known: the benchmark's numbers by label; of several labels with one number the first in `labels` has it.
        left_out: numbers that mean something else.
    """
    numbered: dict[str, int] = {}
    for label in labels:
        if label in known and known[label] not in numbered.values():
            numbered[label] = known[label]
    taken = {*known.values(), *left_out}
    free = (number for number in count(1) if number not in taken)
    return {label: numbered[label] if label in numbered else next(free) for label in labels}


def class_names(numbers: Mapping[str, int]) -> list[str]:
    """The lines of `labels.txt`: the n-th is class n, `-` where there is none."""
    by_number = {number: label for label, number in numbers.items()}
    return [by_number.get(number, "-") for number in range(1, max(by_number, default=0) + 1)]


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    return f"{part}/{video}/img1/{frame + 1:06}.jpg"


def write_about(folder: Path, video: VideoResults, census: Census, labels: Sequence[str]) -> Path:
    """Make a sequence's folder with all but its rows; where these go."""
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / _LABELS).write_text("".join(f"{' '.join(label.split())}\n" for label in labels), encoding="utf-8")
    length = max(census.last + 1, video.length or 0)
    lines = {
        "name": video.name, "imDir": "img1", "frameRate": f"{video.fps:g}", "seqLength": length,
        "imWidth": video.width, "imHeight": video.height, "imExt": ".jpg",
    }  # fmt: skip
    text = "[Sequence]\n" + "".join(f"{name}={value}\n" for name, value in lines.items())
    (folder / _INFO).write_text(text, encoding="utf-8")
    return folder / "gt" / "gt.txt"


@dataclass(frozen=True)
class SequenceFiles:
    """A sequence.

    Attributes:
        name: of its own.
        place: that with the folders it stood in.
        rows, labels: the file of rows, and the names of classes.
        origin: the number of its first frame.
        fps, length, size: as in `seqinfo.ini` or the video; size is height and width.
    """

    name: str
    place: tuple[str, ...]
    rows: Path
    labels: Sequence[str]
    origin: Origin
    fps: float | None
    length: int | None
    size: tuple[int, int] | None


def find_sequences(path: Path, sources: Sources) -> list[SequenceFiles]:
    """The sequences in a folder, at any depth, or of a file of rows. Raises `BadResults` where there is none."""
    if path.is_file():
        files = [path]
    else:
        patterns = ("**/gt/gt.txt", "gt.txt", "*.txt", "**/*.txt")
        found = ([p for p in visible(path, pattern) if not _NO_ROWS.search(p.name)] for pattern in patterns)
        files = next((files for files in found if files), [])
    if not files:
        raise BadResults(f"{path}: no gt/gt.txt in it, and no .txt files of rows")
    root, sources = path.absolute(), sources.of(len(files))
    places = [(*_below(_folder(file), root), _name(file)) for file in files]
    origin = sources.origin
    if origin is None:  # one for all: files without a row on the first frame do not say
        origin = 0 if any(_has_frame_0(file) for file in files) else 1
    return [
        _sequence(file, name, place, origin, sources)
        for file, name, place in zip(files, short_names(places), places, strict=True)
    ]


def _below(folder: Path, root: Path) -> tuple[str, ...]:
    return folder.relative_to(root).parts if folder.is_relative_to(root) else ()


def _folder(rows: Path) -> Path:
    """The folder that a sequence is in: of `A/gt/gt.txt` the one that holds `A`."""
    parent = rows.absolute().parent
    if rows.stem not in ("gt", "det"):
        return parent
    return parent.parent.parent if parent.name in ("gt", "det") else parent.parent


def _name(rows: Path) -> str:
    if rows.stem in ("gt", "det"):
        parent = rows.absolute().parent
        return parent.parent.name if parent.name in ("gt", "det") else parent.name
    return rows.stem


def _sequence(rows: Path, name: str, place: tuple[str, ...], first: Origin, sources: Sources) -> SequenceFiles:
    info = next((p for p in (rows.parent / _INFO, rows.parent.parent / _INFO) if p.is_file()), None)
    labels = rows.parent / _LABELS
    names = labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else []
    if info is None:
        source = sources.describe(_name(rows), "/".join(place))
        if source is None:
            return SequenceFiles(name, place, rows, names, first, None, None, None)
        size = (source.height, source.width)
        return SequenceFiles(name, place, rows, names, first, source.fps, source.declared_frames, size)
    with telling(str(info)):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(info.read_text(encoding="utf-8-sig"))
            section = parser["Sequence"]
            size = (int(section["imHeight"]), int(section["imWidth"]))
            length = whole(int(section["seqLength"]), "seqLength")
            if length > MAX_FRAMES:
                raise BadResults(f"{length:,} frames, more than the {MAX_FRAMES:,} accepted")
            return SequenceFiles(name, place, rows, names, first, float(section["frameRate"]), length, size)
        except configparser.Error as error:
            raise BadResults(str(error).splitlines()[0]) from None


def _has_frame_0(rows: Path) -> bool:
    """Whether a row or a picture is of a frame 0, as in KITTI."""
    pictures = (rows.parent.parent / "img1" / f"000000{suffix}" for suffix in (".jpg", ".png"))
    if any(path.is_file() for path in pictures):
        return True
    numbers = (next(iter(line.replace(",", " ").split()), "") for _, line in read_rows(rows))
    return any(number and not number.strip("0.") for number in numbers)


def source_frame(number: float, sequence: SequenceFiles) -> int:
    """The source frame of a row. Raises `ValueError` or `BadResults` for a number that the sequence has not."""
    frame = whole(number, "frame", sequence.origin) - sequence.origin
    if sequence.length is not None and frame >= sequence.length:
        raise BadResults(f"frame {number:g} of a sequence of {sequence.length}")
    return frame


def rate(sequence: SequenceFiles) -> float:
    """Frames a second; where unknown, that of image folders."""
    return sequence.fps or IMAGE_FOLDER_FPS


def read_rows(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that hold something, each with its number from 1."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                yield number, line.strip()
