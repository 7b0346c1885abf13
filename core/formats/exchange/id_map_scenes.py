"""Scenes of `refine_masks` (folders with `images/` and maps of ids) as neutral results: a scene is a video.

Frames are numbered by the maps' names where these are numbers, else by their order.

The refined maps are read where there are any, else the original ones. Ids from 0 down are background.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.formats.exchange.map_files import read_map, seen_mask
from core.formats.exchange.model import BadResults, SeenFrame, VideoResults
from core.formats.exchange.notes import Notes
from core.formats.exchange.sources import Sources
from core.formats.id_maps import SUFFIXES, write_id_map
from core.masks.flatten import flatten
from core.store.paths import distinct, slugify, visible
from core.store.safe_load import load_json
from core.video.frame_names import FrameNumbers, frame_numbers, match_names, stem_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS, ImageFolder, has_images

IMAGES, MAPS, REFINED = "images", "obj_ids", "obj_ids_refine"
_FRAMES = "source_frames.json"


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
    return [_video(scene, name, sources) for scene, name in zip(scenes, names, strict=True)]


def _video(scene: Path, name: str, sources: Sources) -> VideoResults:
    folder = maps_folder(scene)
    maps = {stem_of(path.name): path for path in visible(folder or scene, "*") if path.suffix.lower() in SUFFIXES}
    if not maps:
        raise BadResults(f"{folder}: no map in it")
    stems = sorted(maps, key=natural_key)
    height, width = read_map(maps[stems[0]]).ids.shape
    images = scene / IMAGES
    pictures = [stem_of(p.name) for p in ImageFolder(images).paths] if has_images(images) else []
    named = _named_frames(scene)
    if named is None:
        numbered = _numbered(folder or scene, stems, pictures, sources)
    else:
        for stem in stems:
            if stem not in named:
                sources.notes.add(str(maps[stem]), f"left out: {_FRAMES} does not name it")
        stems = [stem for stem in stems if stem in named]
        numbered = FrameNumbers([named[stem] for stem in stems])
    frames = list(numbered.frames)
    whole = match_names(stems, pictures) == frames  # then the images are the video, frame by frame
    return VideoResults(
        name=name,
        width=width,
        height=height,
        fps=IMAGE_FOLDER_FPS,
        read=lambda: _frames([maps[stem] for stem in stems], frames, (height, width), sources.notes),
        length=len(pictures) if whole else None,
        path=str(images) if whole else None,
        place=(scene.absolute().name,),
        by_number=named is None,
        origin=numbered.origin,
    )


def _numbered(folder: Path, stems: Sequence[str], pictures: Sequence[str], sources: Sources) -> FrameNumbers:
    """Frames by the names of the pictures, of which some may have no map; of maps alone by their own."""
    places = match_names(stems, pictures)
    found = [place for place in places if place is not None]
    numbered = frame_numbers(pictures if len(found) == len(stems) else stems, sources.origin)
    if numbered.assumed:
        sources.notes.add(str(folder), numbered.assumed)
    if len(found) < len(stems):
        return numbered
    return FrameNumbers([numbered.frames[place] for place in found], origin=numbered.origin)


def _named_frames(scene: Path) -> dict[str, int] | None:
    """Source frames by name, in scenes of our own."""
    path = scene / _FRAMES
    if not path.is_file():
        return None
    frames = load_json(path)
    good = isinstance(frames, dict) and all(type(frame) is int and frame >= 0 for frame in frames.values())
    return frames if good else None


def write_frames(scene: Path, frames: Mapping[str, int]) -> None:
    """Write which source frame each picture is of, by its name without ending."""
    (scene / _FRAMES).write_text(json.dumps(frames, indent=0) + "\n", encoding="utf-8")


def _frames(maps: Sequence[Path], numbers: Sequence[int], size: tuple[int, int], notes: Notes) -> Iterator[SeenFrame]:
    for frame, path in zip(numbers, maps, strict=True):
        ids, coding, _ = read_map(path, size)
        if coding:
            notes.add(str(path.parent), coding)
        objects = [seen_mask(int(one), ids == one, name=str(one)) for one in np.unique(ids[ids > 0])]
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
