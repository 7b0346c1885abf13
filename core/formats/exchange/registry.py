"""All formats by name, and which one a file or folder is of."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import ijson

from core.errors import reason_of
from core.formats.exchange import (
    coco,
    coco_video,
    cvat,
    davis,
    dense,
    id_map_scenes,
    mot,
    mots,
    mots_png,
    rerun,
    results_lines,
    yolo,
    yolo_reader,
)  # fmt: skip
from core.formats.exchange.material import Format
from core.formats.exchange.model import BadResults, VideoResults
from core.formats.exchange.sequences import read_rows
from core.formats.exchange.sources import Sources
from core.store.paths import files_of, visible
from core.store.shallow_json import parse_json

_LOOKED_AT = 20
Reader = Callable[[Path, Sources], list[VideoResults]]

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        coco.FORMAT, coco_video.FORMAT, cvat.FORMAT, davis.FORMAT, mot.FORMAT, mots.FORMAT, rerun.FORMAT, yolo.FORMAT,
        results_lines.FORMAT, dense.FORMAT,
    )
}  # fmt: skip
READERS: dict[str, Reader] = {
    "id-maps": id_map_scenes.read,
    **{name: one.read for name, one in FORMATS.items()},
}


def read_results(path: Path, kind: str | None = None, sources: Sources | None = None) -> list[VideoResults]:
    """The videos in a file or folder of any format.

    Args:
        path: results of a flow, or annotations in one of the formats.
        kind: name of the format (a key of `READERS`); None: seen from the files.
        sources: videos a user pointed at, for what the format does not hold.

    Raises:
        BadResults: it is not there, of no known format, damaged, or holds no video.
    """
    if not path.exists():
        raise BadResults(f"{path}: no such file or folder")
    kind = kind or detect(path)
    try:
        videos = READERS[kind](path, sources or Sources())
    except OSError as error:
        raise BadResults(f"{error.filename or path}: {reason_of(error)}") from None
    except UnicodeDecodeError:
        raise BadResults(f"{path}: not UTF-8 text") from None
    if not videos:
        raise BadResults(f"{path}: holds no video")
    return videos


def detect(path: Path) -> str:
    """The format of a file or folder. Raises `BadResults` where it is of none that is known."""
    try:
        kind = _of_folder(path) if path.is_dir() else _of_file(path)
    except OSError as error:
        raise BadResults(f"{path}: {reason_of(error)}") from None
    if kind is None and path.is_file() and path.stat().st_size == 0:
        raise BadResults(f"{path}: empty")
    if kind is None:
        known = ", ".join(sorted(READERS))
        raise BadResults(f"{path}: unknown schema: of none of the formats that are read ({known}); --format names one")
    return kind


def _of_file(path: Path) -> str | None:
    by_suffix = {".xml": "cvat", ".zip": "cvat", ".rrd": "rerun", ".yaml": "yolo", ".yml": "yolo"}
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        return _kind_of_jsonl(path)
    if suffix == ".json":
        return _kind_of_json(path)
    if suffix == ".txt":
        return _kind_of_rows(path)
    return by_suffix.get(suffix)


def _kind_of_jsonl(path: Path) -> str | None:
    with path.open("rb") as stream:
        try:
            for prefix, event, value in parse_json(stream, multiple_values=True):
                if prefix == "" and event == "map_key":
                    if value in ("video_path", "text_prompt", "video_info"):
                        return "results"
                    if value in ("frame_number", "objects"):
                        return "dense"
                    return None
        except (ijson.JSONError, ValueError):
            pass
    return None


def _kind_of_json(path: Path) -> str | None:
    """COCO's two kinds by their annotations: of images, or of videos."""
    with path.open("rb") as stream:
        try:
            for prefix, event, value in parse_json(stream):
                if prefix in ("images.item", "annotations.item") and event == "map_key" and value in (
                    "file_name", "image_id", "video_id"
                ):  # fmt: skip
                    return "coco-video" if value == "video_id" and prefix == "annotations.item" else "coco"
                if prefix == "videos.item" and event == "map_key" and value == "file_names":
                    return "coco-video"
        except (ijson.JSONError, ValueError) as error:
            raise BadResults(f"{path}: not JSON, or cut short: {str(error).splitlines()[0].strip()}") from None
    return None


def _kind_of_rows(path: Path) -> str | None:
    """Rows of MOT have commas, those of MOTS have not."""
    rows = [line for _, line in islice(read_rows(path), _LOOKED_AT)]
    if not rows or any(line.count(",") >= 5 for line in rows):
        return "mot"
    return "mots" if any(_is_mots(line.split()) for line in rows) else None


def _is_mots(words: list[str]) -> bool:
    """Whether a row is `frame id class height width RLE`: YOLO's rows may have six words, too."""
    return len(words) == 6 and all(word.isdigit() for word in words[:5])


def _of_folder(path: Path) -> str | None:
    if yolo_reader.about_file(path) is not None or visible(path, "labels/**/*.txt"):
        return "yolo"
    if (path / results_lines.RESULTS).is_file():
        return "results"
    rows = visible(path, "**/gt/gt.txt")
    if rows:
        return _kind_of_rows(rows[0])
    if id_map_scenes.maps_folder(path) or any(id_map_scenes.maps_folder(p) for p in path.iterdir() if p.is_dir()):
        return "id-maps"
    for pattern, kind in (("**/dense_annotations_*.jsonl", "dense"), ("**/*.rrd", "rerun"), ("**/*.xml", "cvat")):
        if visible(path, pattern):
            return kind
    patterns = ("*.jsonl", "*.json", "annotations/*.json", "*/_annotations.coco.json", "*.txt")
    files = [file for pattern in patterns for file in visible(path, pattern)]
    kinds = [kind for kind in map(_of_file, files) if kind is not None]
    if kinds:
        return kinds[0]
    if files_of(path, (".png",)):
        return "mots" if mots_png.is_coded(path) else "davis"
    below = [kind for kind in map(_kind_of_rows, visible(path, "**/*.txt")[:_LOOKED_AT]) if kind is not None]
    return below[0] if below else None
