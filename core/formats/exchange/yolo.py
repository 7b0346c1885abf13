"""YOLO: a text file for each image, its boxes or outlines in shares of width and height (Ultralytics).

    data.yaml     images/PART/VIDEO_000123.jpg     labels/PART/VIDEO_000123.txt

Polygons (an object's outlines are joined into one, as Ultralytics does) or boxes. `videos` in `data.yaml` is ours: the
size and rate of each, so that labels can be read without pictures.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.errors import BadMedia
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import checked_box, checked_label, checked_score, telling, whole
from core.formats.exchange.sequences import read_rows
from core.formats.exchange.sources import Sources
from core.masks import polygons, rle
from core.store.paths import distinct, slugify, visible
from core.store.safe_load import load_yaml
from core.video.image_file import SUFFIXES as IMAGE_SUFFIXES
from core.video.image_file import natural_key, read_image
from core.video.image_folder import IMAGE_FOLDER_FPS

_ABOUT = "data.yaml"


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    return f"images/{part}/{video}_{frame:06}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    classes = {label: number for number, label in enumerate(material.labels)}
    for part, video in material.videos():
        folder = root / "labels" / part
        folder.mkdir(parents=True, exist_ok=True)
        (root / "images" / part).mkdir(parents=True, exist_ok=True)
        for frame in video.read():
            rows = (f"{classes[one.label]} {_numbers(one, video, material.shape)}\n" for one in frame.objects)
            (folder / f"{video.name}_{frame.source_frame:06}.txt").write_text("".join(rows))
    names = list(material.parts)
    about = {
        "train": f"images/{names[0]}",
        "val": f"images/{'val' if 'val' in names else names[0]}",
        **({"test": "images/test"} if "test" in names else {}),
        "names": {number: label for label, number in classes.items()},
        "videos": {
            video.name: {"width": video.width, "height": video.height, "fps": video.fps, "length": video.length}
            for _, video in material.videos()
        },
    }
    (root / _ABOUT).write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _numbers(one: SeenObject, video: VideoResults, shape: str) -> str:
    if shape == "box" or one.rle is None:
        x0, y0, x1, y1 = one.box_xyxy
        place = np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
        shares = place / (video.width, video.height, video.width, video.height)
    else:
        corners = _joined([np.reshape(p, (-1, 2)) for p in polygons.outlines(rle.decode(one.rle))])
        shares = (corners / (video.width, video.height)).ravel()
    return " ".join(f"{share:.7g}" for share in shares)


def _joined(parts: "list[np.ndarray[Any, np.dtype[np.float64]]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """One outline that runs round all parts: to each further one, round it, and back the same way."""
    if not parts:
        return np.zeros((3, 2))
    joined = parts[0]
    for part in parts[1:]:
        gaps = np.linalg.norm(joined[:, None] - part[None], axis=2)
        here, there = np.unravel_index(int(gaps.argmin()), gaps.shape)
        around = np.concatenate([part[there:], part[: there + 1]])
        joined = np.concatenate([joined[: here + 1], around, joined[here:]])
    return joined


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`. Sizes are from `data.yaml`, or from the pictures."""
    del sources
    folder = path if path.is_dir() else path.parent
    about = _about(folder)
    with telling(str(folder / _ABOUT)):
        labels = _labels(about.get("names"))
    told = about.get("videos")
    told = told if isinstance(told, dict) else {}
    files = sorted(visible(folder / "labels", "**/*.txt"), key=lambda p: natural_key(p.name))
    if not files:
        raise BadResults(f"{folder}: no labels/*.txt in it")
    grouped: dict[tuple[Path, str], dict[int, Path]] = {}
    for file in files:
        video, _, frame = file.stem.rpartition("_")
        known = bool(video) and frame.isascii() and frame.isdigit() and len(frame) < 10
        own = grouped.setdefault((file.parent, video if known else file.stem), {})
        number = int(frame) if known else 0
        if number in own:
            raise BadResults(f"{file}: frame {number} is told by {own[number].name} already")
        own[number] = file
    names = distinct(slugify(video) for _, video in grouped)
    return [
        _video(name, sorted(own.items()), told.get(video), folder, labels)
        for (_, video), own, name in zip(grouped, grouped.values(), names, strict=True)
    ]


def _labels(names: Any) -> dict[int, str]:
    """Classes by number, from a list or from numbers and names. Raises `ValueError` for anything else."""
    if not isinstance(names, dict | list):
        raise ValueError("names is a list of the classes' names, or names by number")
    numbered = names.items() if isinstance(names, dict) else enumerate(names)
    return {whole(number, "a class"): checked_label(name) for number, name in numbered}


def _about(folder: Path) -> Mapping[str, Any]:
    path = folder / _ABOUT
    if not path.is_file():
        raise BadResults(f"{folder}: no {_ABOUT} in it, which tells what classes are called")
    about = load_yaml(path)
    if not isinstance(about, dict):
        raise BadResults(f"{path}: names and values are wanted")
    return about


def _video(
    name: str, files: list[tuple[int, Path]], told: Any, folder: Path, labels: Mapping[int, str]
) -> VideoResults:
    facts = told if isinstance(told, dict) else {}
    told_size = {"height", "width"} <= set(facts)
    size = (facts["height"], facts["width"]) if told_size else _picture_size(files[0][1], folder)
    fps = facts.get("fps") or IMAGE_FOLDER_FPS
    return VideoResults(
        name=name, width=size[1], height=size[0], fps=fps, read=lambda: _frames(files, labels, size, fps),
        length=facts.get("length"), tracked=False, complete=bool(facts),
    )  # fmt: skip


def _picture_size(label: Path, folder: Path) -> tuple[int, int]:
    beside = folder / "images" / label.relative_to(folder / "labels").parent
    for suffix in sorted(IMAGE_SUFFIXES):
        if (beside / f"{label.stem}{suffix}").is_file():
            try:
                height, width = read_image(beside / f"{label.stem}{suffix}").shape[:2]
            except BadMedia as error:
                raise BadResults(f"{beside / label.stem}{suffix}: {error}") from None
            return height, width
    raise BadResults(f"{label}: nothing tells the size of its picture: {beside} has no {label.stem}.jpg or .png")


def _frames(
    files: list[tuple[int, Path]], labels: Mapping[int, str], size: tuple[int, int], fps: float
) -> Iterator[SeenFrame]:
    for frame, file in files:
        objects: list[SeenObject] = []
        for number, line in read_rows(file):
            with telling(f"{file}, line {number}"):
                objects.append(_seen(len(objects) + 1, line, labels, size))
        yield SeenFrame(frame, frame / fps, tuple(objects))


def _seen(obj_id: int, line: str, labels: Mapping[int, str], size: tuple[int, int]) -> SeenObject:
    values = [float(value) for value in line.split()]
    number = whole(values[0], "class")
    if number not in labels:
        raise BadResults(f"class {number} has no name in {_ABOUT}")
    height, width = size
    shares = values[1:]
    if len(shares) in (4, 5):  # a fifth is the score of a prediction
        x, y, w, h = np.array(shares[:4]) * (width, height, width, height)
        box = checked_box(float(x - w / 2), float(y - h / 2), float(x + w / 2), float(y + h / 2))
        return SeenObject(obj_id, labels[number], box, checked_score(shares[4]) if len(shares) == 5 else None)
    corners = [share * (width, height)[place % 2] for place, share in enumerate(shares)]
    mask = polygons.fill([corners], height, width)
    return SeenObject(obj_id, labels[number], rle.box_xyxy(mask), rle=mask)


FORMAT = Format(
    "yolo", "YOLO (Ultralytics): a text file for each image", ("polygon", "box"),
    "identity, scores, times; of masks the holes, and gaps between parts", write, read, picture,
)  # fmt: skip
