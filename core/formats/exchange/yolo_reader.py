"""Reading YOLO data sets as Ultralytics, Roboflow and others lay them out; see `core.formats.exchange.yolo`.

Names of classes are from `data.yaml` (or another YAML file with `names`), else from `classes.txt`. Labels are where
`train`, `val` and `test` say, and in every `labels` folder. A file's picture is the one of its name beside, in `images`
for `labels`; it gives the size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import Any

from core.errors import BadMedia, UnsafeFile
from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import Lenient, checked_label, telling, whole
from core.formats.exchange.sequences import read_rows
from core.formats.exchange.sources import Sources
from core.formats.exchange.yolo_rows import RowKind, kind_of_rows, read_row
from core.store.paths import visible
from core.store.safe_load import load_yaml
from core.video.frame_names import FrameNumbers, stem_of, video_names
from core.video.image_file import SUFFIXES, natural_key, upright_size
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import short_names

_NAMES = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
_CLASSES = "classes.txt"
_PARTS = ("train", "val", "test")


def about_file(folder: Path) -> Path | None:
    """The YAML file that describes a data set; None where there is none."""
    others = [path for pattern in ("*.yaml", "*.yml") for path in visible(folder, pattern)]
    for path in (*(folder / name for name in _NAMES), *others):
        try:
            if path.is_file() and "names" in (load_yaml(path) or ()):
                return path
        except (UnsafeFile, ValueError, TypeError, OSError):
            continue
    return None


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`."""
    folder = path if path.is_dir() else path.parent
    about_path = about_file(folder) if path.is_dir() else path
    about = _about(about_path) if about_path is not None else {}
    files = _label_files(folder, about)
    if not files:
        raise BadResults(f"{folder}: no labels/*.txt in it")
    labels = _class_names(folder, about_path, about, files)
    listed = about.get("videos")
    listed = listed if isinstance(listed, dict) else {}
    lenient = Lenient(sources.notes)
    stems = [
        sorted((stem_of(f.stem) for f in files if f.parent == one), key=natural_key)
        for one in {f.parent for f in files}
    ]
    sources = sources.over(stems)
    grouped = _grouped(files, listed, lenient, sources)
    lenient.check()
    pose = about.get("kpt_shape")
    kind = kind_of_rows(((line for _, line in read_rows(file)) for file in files), pose)
    if kind.noted:
        sources.notes.add(str(folder), kind.noted)
    parts = [(*group.folder.relative_to(folder).parts, group.name) for group in grouped]
    rest = _Rest(labels, kind, sources.of(len(grouped)))
    return [
        _video(group, name, place, listed.get(group.name), rest)
        for group, name, place in zip(grouped, short_names(parts), parts, strict=True)
    ]


@dataclass(frozen=True)
class _Group:
    """The label files of one video.

    Attributes:
        folder: where they are.
        name: of the video.
        size: height and width of its pictures.
        files: in natural order.
        series: names of all its pictures, in natural order: those without objects often have no file.
    """

    folder: Path
    name: str
    size: tuple[int, int]
    files: list[Path]
    series: list[str]


@dataclass(frozen=True)
class _Rest:
    """What all videos have in common."""

    labels: Mapping[int, str]
    kind: RowKind
    sources: Sources


def _about(path: Path) -> Mapping[str, Any]:
    with telling(str(path)):
        about = load_yaml(path)
        if not isinstance(about, dict):
            raise BadResults("names and values are wanted")
        return about


def _class_names(
    folder: Path, about_path: Path | None, about: Mapping[str, Any], files: Sequence[Path]
) -> dict[int, str]:
    """Classes by number, from a list or from numbers and names."""
    if "names" not in about:
        for place in (folder, *sorted({file.parent for file in files})):
            if (place / _CLASSES).is_file():
                return {number: checked_label(line) for number, (_, line) in enumerate(read_rows(place / _CLASSES))}
        raise BadResults(f"{folder}: neither a data.yaml with names nor {_CLASSES} in it: what are classes called?")
    with telling(str(about_path)):
        names = about["names"]
        if not isinstance(names, dict | list):
            raise ValueError("names is a list of the classes' names, or names by number")
        numbered = names.items() if isinstance(names, dict) else enumerate(names)
        return {whole(number, "a class"): checked_label(name) for number, name in numbered}


def _label_files(folder: Path, about: Mapping[str, Any]) -> list[Path]:
    """All label files, each once: where the parts' pictures are, and in folders called `labels`."""
    found: dict[Path, None] = {}
    for part in _PARTS:
        listed = about.get(part)
        for one in listed if isinstance(listed, list) else [listed]:
            if isinstance(one, str):
                found |= dict.fromkeys(_of_part(folder, str(about.get("path") or ""), one))
    for pattern in ("labels/**/*.txt", "**/labels/**/*.txt"):
        found |= dict.fromkeys(visible(folder, pattern))
    if not found:
        found |= dict.fromkeys(visible(folder, "*.txt"))
    return sorted((path for path in found if path.name != _CLASSES), key=lambda path: natural_key(str(path)))


def _of_part(folder: Path, root: str, given: str) -> Iterator[Path]:
    """Label files of a part, by its folder of pictures or its list of them; nothing outside the data set is read."""
    stripped = given
    while stripped.startswith(("../", "./")):  # as Roboflow writes them, from a folder that is not there
        stripped = stripped.partition("/")[2]
    for place in (folder / root / given, folder / given, folder / stripped):
        if not place.resolve().is_relative_to(folder.resolve()):
            continue
        if place.is_dir():
            yield from visible(_swapped(Path(normpath(place)), "images", "labels"), "**/*.txt")
            return
        if place.is_file() and place.suffix == ".txt":
            pictures = (Path(normpath(place.parent / line)) for _, line in read_rows(place))
            yield from (
                p for p in (_swapped(p, "images", "labels").with_suffix(".txt") for p in pictures) if p.is_file()
            )
            return


def _swapped(path: Path, old: str, new: str) -> Path:
    """The same path with the last folder called `old` called `new`."""
    parts = list(path.parts)
    places = [place for place, part in enumerate(parts) if part == old]
    if places:
        parts[places[-1]] = new
    return Path(*parts)


def _grouped(files: Sequence[Path], listed: Mapping[str, Any], lenient: Lenient, sources: Sources) -> list[_Group]:
    """Files by folder, name without the frame's number, and size: a video has one size."""
    folders: dict[Path, list[Path]] = {}
    for file in files:
        folders.setdefault(file.parent, []).append(file)
    groups: dict[tuple[Path, str, tuple[int, int]], _Group] = {}
    for folder, own in folders.items():
        pictures = _pictures_beside(folder)
        names = sorted({*(file.stem for file in own), *pictures}, key=natural_key)
        videos = dict(zip(names, video_names([stem_of(name) for name in names]), strict=True))
        stems: dict[str, dict[str, None]] = {}
        for name, video in videos.items():
            stems.setdefault(video, {})[stem_of(name)] = None
        series = {video: sorted(its_stems, key=natural_key) for video, its_stems in stems.items()}
        for file in own:
            with lenient.entry(str(file)):
                ours, video = file.stem.rpartition("_")[0], videos[file.stem]
                name, size = (ours, _listed_size(listed[ours])) if ours in listed else (video or "images", None)
                size = size or _picture_size(file, pictures, name, sources)
                new = _Group(folder, name, size, [], series[video])
                groups.setdefault((folder, name, size), new).files.append(file)
    return list(groups.values())


def _pictures_beside(folder: Path) -> dict[str, Path]:
    beside = _swapped(folder, "labels", "images")
    there = beside.iterdir() if beside.is_dir() else ()
    return {path.stem: path for path in there if path.suffix.lower() in SUFFIXES}


def _listed_size(facts: Any) -> tuple[int, int] | None:
    if not isinstance(facts, dict) or not {"height", "width"} <= set(facts):
        return None
    return whole(facts["height"], "height", 1), whole(facts["width"], "width", 1)


def _picture_size(label: Path, pictures: Mapping[str, Path], video: str, sources: Sources) -> tuple[int, int]:
    picture = pictures.get(label.stem)
    if picture is None:
        beside = _swapped(label.parent, "labels", "images")
        what = f"the size of the picture of {label} ({beside} has no {label.stem}.jpg or .png)"
        info = sources.need(video, what)
        return info.height, info.width
    try:
        return upright_size(picture)
    except BadMedia as error:
        raise BadResults(f"{picture}: {error}") from None


def _video(group: _Group, name: str, place: tuple[str, ...], about: Any, rest: _Rest) -> VideoResults:
    facts = about if isinstance(about, dict) else {}
    fps = facts.get("fps") or IMAGE_FOLDER_FPS
    if facts:
        numbered = FrameNumbers([int(file.stem.rpartition("_")[2]) for file in group.files])
    else:
        numbered = _numbered(group, rest.sources)
    files = dict(zip(numbered.frames, group.files, strict=True))
    return VideoResults(
        name=name, width=group.size[1], height=group.size[0], fps=fps,
        read=lambda: _frames(files, group.size, fps, rest),
        length=facts.get("length"), tracked=rest.kind.ids, complete=bool(facts), place=place,
        by_number=not facts, origin=numbered.origin,
    )  # fmt: skip


def _numbered(group: _Group, sources: Sources) -> FrameNumbers:
    """Source frames of a group's files, by the names of all pictures of their video."""
    numbered = sources.source_frames(str(group.folder), group.name, group.series)
    frames = dict(zip(group.series, numbered.frames, strict=True))
    return FrameNumbers([frames[stem_of(file.stem)] for file in group.files], origin=numbered.origin)


def _frames(files: Mapping[int, Path], size: tuple[int, int], fps: float, rest: _Rest) -> Iterator[SeenFrame]:
    lenient = Lenient(rest.sources.notes)
    for frame, file in files.items():
        objects: list[SeenObject] = []
        for number, line in read_rows(file):
            with lenient.entry(f"{file}, line {number}"):
                free = rest.kind.highest_id + len(objects) + 1
                objects.append(read_row(line, free, rest.kind, rest.labels, size))
        if len({one.obj_id for one in objects}) < len(objects):
            raise BadResults(f"{file}: two objects of one id")
        yield SeenFrame(frame, frame / fps, tuple(objects))
    lenient.check()
