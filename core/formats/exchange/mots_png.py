"""MOTS as PNG: 16-bit maps whose ids are 1000 x class + number, 10000 for what is not judged (as KITTI has them).

    instances/0000/000000.png

Frames are named by their number, from 0.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from core.formats.exchange.map_files import read_map, seen_mask
from core.formats.exchange.model import OBJECT, BadResults, Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.sources import Sources
from core.store.paths import files_of
from core.video.frame_names import stem_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import short_names

_LABELS = {1: "car", 2: "pedestrian"}
_A_CLASS, _IGNORED = 1000, 10_000
_LOOKED_AT = 20


def is_coded(folder: Path) -> bool:
    """Whether the first PNGs below a folder that are not empty hold such ids, and no others."""
    seen = False
    for path in files_of(folder, (".png",))[:_LOOKED_AT]:
        try:
            ids = np.unique(read_map(path).ids)
        except BadResults:
            return False
        ids = ids[ids != 0]
        if not np.isin(ids // _A_CLASS, [*_LABELS, _IGNORED // _A_CLASS]).all():
            return False
        seen |= bool(((ids != _IGNORED) & (ids > 0)).any())
    return seen


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """The videos in a folder, one for each folder of PNGs. Raises `BadResults`."""
    folders = sorted({file.parent for file in files_of(path, (".png",))}, key=lambda p: natural_key(str(p)))
    parts = [folder.relative_to(path).parts or (path.absolute().name,) for folder in folders]
    sources.notes.add(str(path), "ids taken as MOTS has them: 1000 x class + number, 10000 is not judged")
    sources = sources.of(len(folders))
    return [
        _video(folder, name, place, sources)
        for folder, name, place in zip(folders, short_names(parts), parts, strict=True)
    ]


def _video(folder: Path, name: str, place: tuple[str, ...], sources: Sources) -> VideoResults:
    maps = {stem_of(file.name): file for file in files_of(folder, (".png",), deep=False)}
    stems = sorted(maps, key=natural_key)
    source = sources.describe(place[-1], "/".join(place))
    fps = source.fps if source is not None else IMAGE_FOLDER_FPS
    frames = sources.source_frames(str(folder), place[-1], stems, "/".join(place))
    numbered = {frame: maps[stem] for frame, stem in zip(frames.frames, stems, strict=True)}
    height, width = read_map(maps[stems[0]]).ids.shape
    return VideoResults(
        name=name, width=width, height=height, fps=fps, read=lambda: _frames(numbered, (height, width), fps),
        length=None if source is None else source.declared_frames, place=place,
        by_number=True, origin=frames.origin,
    )  # fmt: skip


def _frames(maps: Mapping[int, Path], size: tuple[int, int], fps: float) -> Iterator[SeenFrame]:
    for frame, path in maps.items():
        ids = read_map(path, size).ids
        objects: list[SeenObject] = []
        ignored: list[Ignored] = []
        for one in np.unique(ids[ids > 0]).tolist():
            seen = seen_mask(one, ids == one, _LABELS.get(one // _A_CLASS, OBJECT))
            if one == _IGNORED:
                ignored.append(Ignored("region", OBJECT, seen.box_xyxy, seen.rle))
            else:
                objects.append(seen)
        yield SeenFrame(frame, frame / fps, tuple(objects), tuple(ignored))
