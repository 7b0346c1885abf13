"""Scenes of `refine_masks` (folders with `images/` and maps of ids) as neutral results: a scene is a video.

Frames are numbered by the maps' names where these are numbers, else by their order.

The refined maps are read where there are any, else the original ones. Ids from 0 down are background.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from core.errors import BadMedia, UnsafeFile
from core.formats.exchange.model import OBJECT, BadResults, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.notes import Notes
from core.formats.exchange.sources import Sources
from core.formats.id_maps import SUFFIXES, IdMap, read_coded_map, write_id_map
from core.masks import rle
from core.masks.flatten import flatten
from core.store.paths import distinct, slugify, visible
from core.video.frame_names import frame_numbers, match_names, stem_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS, ImageFolder, has_images

IMAGES, MAPS, REFINED = "images", "obj_ids", "obj_ids_refine"


def maps_folder(scene: Path) -> Path | None:
    """The folder of a scene's maps; None where it is no scene."""
    return next((scene / name for name in (REFINED, MAPS) if (scene / name).is_dir()), None)


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """One scene, or all in a folder. Raises `BadResults`."""
    scenes = [path] if maps_folder(path) else sorted(
        (p for p in path.iterdir() if p.is_dir() and maps_folder(p)), key=lambda p: natural_key(p.name)
    )  # fmt: skip
    if not scenes:
        raise BadResults(f"{path}: no scene in it (a folder with {MAPS}/ or {REFINED}/)")
    names = distinct(slugify(scene.absolute().name) for scene in scenes)
    return [_video(scene, name, sources.notes) for scene, name in zip(scenes, names, strict=True)]


def _video(scene: Path, name: str, notes: Notes) -> VideoResults:
    folder = maps_folder(scene)
    maps = {stem_of(path.name): path for path in visible(folder or scene, "*") if path.suffix.lower() in SUFFIXES}
    if not maps:
        raise BadResults(f"{folder}: no map in it")
    stems = sorted(maps, key=natural_key)
    height, width = _map(maps[stems[0]], notes).shape
    numbered = frame_numbers(stems)
    if numbered.assumed:
        notes.add(str(folder), numbered.assumed)
    images = scene / IMAGES
    pictures = [stem_of(p.name) for p in ImageFolder(images).paths] if has_images(images) else []
    whole = match_names(stems, pictures) == list(numbered.frames)  # then the images are the video, frame by frame
    return VideoResults(
        name=name,
        width=width,
        height=height,
        fps=IMAGE_FOLDER_FPS,
        read=lambda: _frames([maps[stem] for stem in stems], numbered.frames, (height, width), notes),
        length=len(pictures) if whole else None,
        path=str(images) if whole else None,
    )


def _map(path: Path, notes: Notes) -> IdMap:
    try:
        ids, coding = read_coded_map(path)
        if coding:
            notes.add(str(path), coding)
        return ids
    except (BadMedia, UnsafeFile, OSError) as error:
        raise BadResults(f"{path}: {error}") from None


def _frames(maps: Sequence[Path], numbers: Sequence[int], size: tuple[int, int], notes: Notes) -> Iterator[SeenFrame]:
    for frame, path in zip(numbers, maps, strict=True):
        ids = _map(path, notes)
        if ids.shape != size:
            raise BadResults(f"{path}: {ids.shape[1]}x{ids.shape[0]} pixels, the first is {size[1]}x{size[0]}")
        objects = []
        for obj_id in np.unique(ids[ids > 0]):
            mask = rle.encode(np.asarray(ids == obj_id, np.bool_))
            objects.append(SeenObject(int(obj_id), OBJECT, rle.box_xyxy(mask), rle=mask, name=str(obj_id)))
        yield SeenFrame(frame, frame / IMAGE_FOLDER_FPS, tuple(objects))


def write_maps(folder: Path, video: VideoResults, picture: Callable[[int], str]) -> None:
    """Write a map for each frame, called after its picture (`picture` by source frame): `000123.jpg.pth`."""
    for frame in video.read():
        masks = [(one.obj_id, one.rle, one.score) for one in frame.objects if one.rle is not None]
        ids = flatten(masks, video.height, video.width).astype(np.int64)
        write_id_map(folder / f"{picture(frame.source_frame)}.pth", ids)


def picture_names(pictures: Sequence[Path]) -> Callable[[int], str]:
    """What the picture of a frame is called in a scene: as the source's own picture, or by the frame's number."""
    return lambda frame: f"{pictures[frame].stem}.jpg" if frame < len(pictures) else f"{frame:06}.jpg"
