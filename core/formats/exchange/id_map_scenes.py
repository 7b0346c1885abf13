"""Scenes of `refine_masks` (folders with `images/` and maps of ids) as neutral results: a scene is a video.

Frames are numbered by the maps' names where these are numbers, else by their order.

The refined maps are read where there are any, else the original ones. Ids from 0 down are background.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from core.errors import BadMedia, UnsafeFile
from core.formats.exchange.model import OBJECT, BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import frame_numbers
from core.formats.exchange.sources import Sources
from core.formats.id_maps import SUFFIXES, IdMap, read_id_map, write_id_map
from core.masks import rle
from core.masks.flatten import flatten
from core.store.paths import distinct, slugify, visible
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS

IMAGES, MAPS, REFINED = "images", "obj_ids", "obj_ids_refine"


def maps_folder(scene: Path) -> Path | None:
    """The folder of a scene's maps; None where it is no scene."""
    return next((scene / name for name in (REFINED, MAPS) if (scene / name).is_dir()), None)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """One scene, or all in a folder. Raises `BadResults`."""
    del sources
    scenes = [path] if maps_folder(path) else sorted(
        (p for p in path.iterdir() if p.is_dir() and maps_folder(p)), key=lambda p: natural_key(p.name)
    )  # fmt: skip
    if not scenes:
        raise BadResults(f"{path}: no scene in it (a folder with {MAPS}/ or {REFINED}/)")
    names = distinct(slugify(scene.name) for scene in scenes)
    return [_video(scene, name) for scene, name in zip(scenes, names, strict=True)]


def _video(scene: Path, name: str) -> VideoResults:
    folder = maps_folder(scene)
    maps = sorted(
        (p for p in visible(folder or scene, "*") if p.suffix in SUFFIXES),
        key=lambda p: natural_key(p.name),
    )
    if not maps:
        raise BadResults(f"{folder}: no map in it")
    height, width = _map(maps[0]).shape
    images = scene / IMAGES
    numbers = frame_numbers([path.name.partition(".")[0] for path in maps])
    whole = numbers == list(range(len(maps)))  # then images are numbered in the same way
    return VideoResults(
        name=name,
        width=width,
        height=height,
        fps=IMAGE_FOLDER_FPS,
        read=lambda: _frames(maps, numbers, (height, width)),
        length=len(maps) if whole else None,
        path=str(images) if whole and images.is_dir() else None,
    )


def _map(path: Path) -> IdMap:
    try:
        return read_id_map(path)
    except (BadMedia, UnsafeFile, OSError) as error:
        raise BadResults(f"{path}: {error}") from None


def _frames(maps: list[Path], numbers: list[int], size: tuple[int, int]) -> Iterator[SeenFrame]:
    for frame, path in zip(numbers, maps, strict=True):
        ids = _map(path)
        if ids.shape != size:
            raise BadResults(f"{path}: {ids.shape[1]}x{ids.shape[0]} pixels, the first is {size[1]}x{size[0]}")
        objects = []
        for obj_id in np.unique(ids[ids > 0]):
            mask = rle.encode(np.asarray(ids == obj_id, np.bool_))
            objects.append(SeenObject(int(obj_id), OBJECT, rle.box_xyxy(mask), rle=mask, name=str(obj_id)))
        yield SeenFrame(frame, frame / IMAGE_FOLDER_FPS, tuple(objects))


def write_maps(folder: Path, video: VideoResults) -> None:
    """Write a map for each frame, called after its picture: `000123.jpg.pth`."""
    for frame in video.read():
        masks = [(one.obj_id, one.rle, one.score) for one in frame.objects if one.rle is not None]
        ids = flatten(masks, video.height, video.width).astype(np.int64)
        write_id_map(folder / f"{picture_name(frame.source_frame)}.pth", ids)


def picture_name(frame: int) -> str:
    """What the picture of a frame is called in a scene."""
    return f"{frame:06}.jpg"
