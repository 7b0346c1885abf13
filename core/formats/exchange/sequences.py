"""What MOT and MOTS have in common: folders of sequences with `seqinfo.ini`, `gt/gt.txt` and `gt/labels.txt`.

    PART/VIDEO/seqinfo.ini     PART/VIDEO/gt/gt.txt     PART/VIDEO/gt/labels.txt     PART/VIDEO/img1/000001.jpg

Frames count from 1: frame 1 is source frame 0.
"""

import configparser
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from core.formats.exchange.model import BadResults, Census, VideoResults
from core.formats.exchange.parsing import telling, whole
from core.formats.exchange.sources import Sources
from core.store.paths import distinct, slugify, visible
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.limits import MAX_FRAMES

_INFO, _LABELS = "seqinfo.ini", "labels.txt"
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
    """A sequence: its name, rows and labels, and what its `seqinfo.ini` or its video tells."""

    name: str
    rows: Path
    labels: Sequence[str]
    fps: float | None
    length: int | None
    size: tuple[int, int] | None


def find_sequences(path: Path, sources: Sources) -> list[SequenceFiles]:
    """The sequences in a folder, at any depth, or of a file of rows. Raises `BadResults` where there is none."""
    if path.is_file():
        files = [path]
    else:
        files = visible(path, "**/gt/gt.txt") or [p for p in visible(path, "*.txt") if p.name != _LABELS]
    if not files:
        raise BadResults(f"{path}: no gt/gt.txt in it, and no .txt files of rows")
    names = distinct(slugify(_name(file)) for file in files)
    return [_sequence(file, name, sources) for file, name in zip(files, names, strict=True)]


def _name(rows: Path) -> str:
    if rows.stem in ("gt", "det"):
        parent = rows.absolute().parent
        return parent.parent.name if parent.name in ("gt", "det") else parent.name
    return rows.stem


def _sequence(rows: Path, name: str, sources: Sources) -> SequenceFiles:
    info = next((p for p in (rows.parent / _INFO, rows.parent.parent / _INFO) if p.is_file()), None)
    labels = rows.parent / _LABELS
    names = labels.read_text(encoding="utf-8").splitlines() if labels.is_file() else []
    if info is None:
        source = sources.describe(name)
        if source is None:
            return SequenceFiles(name, rows, names, None, None, None)
        return SequenceFiles(name, rows, names, source.fps, source.declared_frames, (source.height, source.width))
    with telling(str(info)):
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(info.read_text(encoding="utf-8"))
            told = parser["Sequence"]
            size = (int(told["imHeight"]), int(told["imWidth"]))
            length = whole(int(told["seqLength"]), "seqLength")
            if length > MAX_FRAMES:
                raise BadResults(f"{length:,} frames, more than the {MAX_FRAMES:,} accepted")
            return SequenceFiles(name, rows, names, float(told["frameRate"]), length, size)
        except configparser.Error as error:
            raise BadResults(str(error).splitlines()[0]) from None


def rate(sequence: SequenceFiles) -> float:
    """Frames a second; where nothing tells, that of image folders."""
    return sequence.fps or IMAGE_FOLDER_FPS


def read_rows(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that hold something, each with its number from 1."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        number = 0
        while line := stream.readline(_LONGEST_LINE):
            number += 1
            if line.strip():
                yield number, line.strip()
