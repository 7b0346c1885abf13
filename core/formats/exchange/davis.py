"""DAVIS: a palette PNG each frame, its pixels the objects' ids (Pont-Tuset et al., 2017).

    Annotations/480p/VIDEO/00123.png     JPEGImages/480p/VIDEO/00123.jpg
    ImageSets/2017/PART.txt              davis_semantics.json: {"VIDEO": {"1": "dog"}}

Files are named by their source frame; `480p` is what the folder is called, whatever the size.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from core.errors import BadMedia
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, Census, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import frame_numbers
from core.formats.exchange.sources import Sources
from core.formats.id_maps import read_id_map
from core.masks import rle
from core.masks.flatten import flatten
from core.store.paths import distinct, slugify, visible
from core.store.safe_load import load_json
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS

_RESOLUTION = "480p"
_SEMANTICS = "davis_semantics.json"
_MOST, _VOID = 254, 255
_QUICK = 1  # for zlib: id maps pack well anyway


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    del part
    return f"JPEGImages/{_RESOLUTION}/{video}/{frame:05}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`. Raises `BadResults` for a video of more than 254 objects."""
    (root / "ImageSets" / "2017").mkdir(parents=True)
    semantics: dict[str, dict[str, str]] = {}
    palette = _palette()
    for part, videos in material.parts.items():
        (root / "ImageSets" / "2017" / f"{part}.txt").write_text("".join(f"{video.name}\n" for video in videos))
    for _, video in material.videos():
        census = material.census[video.name]
        numbers = _numbers(census, video.name)
        semantics[video.name] = {str(numbers[obj_id]): track.label for obj_id, track in census.tracks.items()}
        folder = root / "Annotations" / _RESOLUTION / video.name
        folder.mkdir(parents=True)
        for frame in video.read():
            masks = [(numbers[one.obj_id], one.rle, one.score) for one in frame.objects if one.rle is not None]
            image = Image.fromarray(flatten(masks, video.height, video.width).astype(np.uint8), "P")
            image.putpalette(palette)
            image.save(folder / f"{frame.source_frame:05}.png", compress_level=_QUICK)
    (root / _SEMANTICS).write_text(json.dumps(semantics, ensure_ascii=False, indent=1), encoding="utf-8")


def _numbers(census: Census, video: str) -> Mapping[int, int]:
    """The objects' ids in PNGs: their own where these fit, else counted from 1 in the order of first sight."""
    if len(census.tracks) > _MOST:
        raise BadResults(f"{video} has {len(census.tracks)} objects: davis holds {_MOST} a video; coco-video holds all")
    fit = max(census.tracks, default=0) <= _MOST
    return {obj_id: obj_id if fit else number for number, obj_id in enumerate(census.tracks, 1)}


def _palette() -> list[int]:
    """The colours of PASCAL VOC, which DAVIS uses: the bits of an id dealt out to red, green and blue in turn."""
    colours = []
    for number in range(256):
        for channel in range(3):
            bits = (number >> (3 * bit + channel) & 1 for bit in range(8))
            colours.append(sum(bit << (7 - place) for place, bit in enumerate(bits)))
    return colours


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`: a DAVIS folder, or any folder with PNGs in it or below; a folder of PNGs is a video."""
    root = path / "Annotations" if (path / "Annotations").is_dir() else path
    folders = sorted({file.parent for file in visible(root, "**/*.png")}, key=lambda p: natural_key(p.name))
    if not folders:
        raise BadResults(f"{path}: no folder of PNG masks in it")
    semantics = load_json(path / _SEMANTICS) if (path / _SEMANTICS).is_file() else {}
    names = distinct(slugify(folder.name) for folder in folders)
    return [
        _video(folder, name, _labels(semantics, folder.name), sources)
        for folder, name in zip(folders, names, strict=True)
    ]


def _labels(semantics: object, name: str) -> Mapping[str, str]:
    told = semantics.get(name) if isinstance(semantics, dict) else None
    return {key: label for key, label in told.items() if isinstance(label, str)} if isinstance(told, dict) else {}


def _maps(folder: Path) -> list[Path]:
    return sorted(visible(folder, "*.png"), key=lambda p: natural_key(p.name))


def _video(folder: Path, name: str, labels: Mapping[str, str], sources: Sources) -> VideoResults:
    maps = _maps(folder)
    height, width = _read_mask(maps[0])[0].shape
    source = sources.describe(name)
    fps = source.fps if source is not None else IMAGE_FOLDER_FPS
    return VideoResults(
        name=name,
        width=width,
        height=height,
        fps=fps,
        read=lambda: _frames(maps, labels, (height, width), fps),
        length=None if source is None else source.declared_frames,
    )


def _frames(maps: list[Path], labels: Mapping[str, str], size: tuple[int, int], fps: float) -> Iterator[SeenFrame]:
    """DAVIS 2016 is black and white: 255 is its one object. In a palette 255 is what is not to be judged."""
    black_and_white: bool | None = None
    for frame, path in zip(frame_numbers([path.stem for path in maps]), maps, strict=True):
        ids, palette = _read_mask(path)
        if ids.shape != size:
            raise BadResults(f"{path}: {ids.shape[1]}x{ids.shape[0]} pixels, the first is {size[1]}x{size[0]}")
        present = [one for one in _present(ids) if one]
        if palette:
            ids[ids == _VOID] = 0
        elif present:
            black_and_white = present == [_VOID] if black_and_white is None else black_and_white
            if black_and_white and present != [_VOID]:
                raise BadResults(f"{path}: ids {present[:5]} after frames in black and white")
            if black_and_white:
                ids[ids == _VOID] = 1
        yield SeenFrame(frame, frame / fps, tuple(_objects(ids, labels)))


def _present(ids: npt.NDArray[np.int64]) -> list[int]:
    return np.flatnonzero(np.bincount(ids.ravel())).tolist()


def _objects(ids: npt.NDArray[np.int64], labels: Mapping[str, str]) -> Iterator[SeenObject]:
    for obj_id in _present(ids):
        if obj_id:
            mask = rle.encode(np.asarray(ids == obj_id, np.bool_))
            yield SeenObject(obj_id, labels.get(str(obj_id), OBJECT), rle.box_xyxy(mask), rle=mask)


def _read_mask(path: Path) -> tuple[npt.NDArray[np.int64], bool]:
    """Ids [H, W] of a PNG, and whether it has a palette. Raises `BadResults` where it cannot be read."""
    try:
        ids = read_id_map(path)
        with Image.open(path, formats=("PNG",)) as image:
            palette = image.mode == "P"
    except (BadMedia, OSError) as error:
        raise BadResults(f"{path}: {error}") from None
    if ids.min() < 0 or ids.max() > np.iinfo(np.uint16).max:
        raise BadResults(f"{path}: ids from 0 to 65535 are read, not {ids.min()} to {ids.max()}")
    return ids, palette


FORMAT = Format(
    "davis", "DAVIS 2017: a palette PNG each frame", ("mask",),
    "overlaps, scores, times, empty masks, ids above 254 (counted anew), videos of more than 254 objects",
    write, read, picture,
)  # fmt: skip
