"""DAVIS: a palette PNG each frame, its pixels the objects' ids (Pont-Tuset et al., 2017).

    Annotations/480p/VIDEO/00123.png     JPEGImages/480p/VIDEO/00123.jpg
    ImageSets/2017/PART.txt              davis_semantics.json: {"VIDEO": {"1": "dog"}}

Files are named by their source frame; `480p` is what the folder is called, whatever the size.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.formats.exchange import sav
from core.formats.exchange.map_files import read_map, seen_mask
from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import OBJECT, BadResults, Census, Ignored, SeenFrame, SeenObject, VideoResults
from core.formats.exchange.parsing import Lenient
from core.formats.exchange.sources import Sources
from core.formats.id_colours import voc_palette
from core.formats.id_maps import CodedMap
from core.masks import rle
from core.masks.flatten import flatten
from core.store.paths import files_of
from core.store.safe_load import load_json
from core.video.frame_names import FrameNumbers, stem_of
from core.video.image_file import natural_key
from core.video.image_folder import IMAGE_FOLDER_FPS
from core.video.video_paths import short_names

_RESOLUTION = "480p"
_SEMANTICS = "davis_semantics.json"
_MOST, _VOID, _FEW = 254, 255, 65_535
_LOOKED_AT = 20
_FRAME = "maskflow-source-frame"  # in our own files
_QUICK = 1  # for zlib: id maps pack well anyway


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    del part
    return f"JPEGImages/{_RESOLUTION}/{video}/{frame:05}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`. Raises `BadResults` for a video of more than 254 objects."""
    (root / "ImageSets" / "2017").mkdir(parents=True)
    semantics: dict[str, dict[str, str]] = {}
    palette = voc_palette().ravel().tolist()
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
            ids = flatten(masks, video.height, video.width).astype(np.uint8)
            for one in frame.ignored:
                if one.rle is not None:
                    ids[rle.decode(one.rle) & (ids == 0)] = _VOID
            image = Image.fromarray(ids, "P")
            image.putpalette(palette)
            about = PngInfo()
            about.add_text(_FRAME, str(frame.source_frame))
            image.save(folder / f"{frame.source_frame:05}.png", compress_level=_QUICK, pnginfo=about)
    (root / _SEMANTICS).write_text(json.dumps(semantics, ensure_ascii=False, indent=1), encoding="utf-8")


def _numbers(census: Census, video: str) -> Mapping[int, int]:
    """The objects' ids in PNGs: their own where these fit, else counted from 1 in the order of first sight."""
    if len(census.tracks) > _MOST:
        raise BadResults(f"{video} has {len(census.tracks)} objects: davis holds {_MOST} a video; coco-video holds all")
    fit = max(census.tracks, default=0) <= _MOST
    return {obj_id: obj_id if fit else number for number, obj_id in enumerate(census.tracks, 1)}


def read(path: Path, sources: Sources) -> list[VideoResults]:
    """See `Format.read`: a DAVIS folder, or any folder with PNGs in it or below; a folder of PNGs is a video.

    Folders of black and white masks, one for each object of a video (`VIDEO/000/00000.png`), are SA-V's.
    """
    root = path / "Annotations" if (path / "Annotations").is_dir() else path
    folders = sorted({file.parent for file in files_of(root, (".png",))}, key=lambda p: natural_key(str(p)))
    if not folders:
        raise BadResults(f"{path}: no folder of PNG masks in it")
    semantics = load_json(path / _SEMANTICS) if (path / _SEMANTICS).is_file() else {}
    by_video: dict[Path, list[Path]] = {}
    for folder in folders:
        by_video.setdefault(folder.parent if sav.is_object(folder, root) else folder, []).append(folder)
    parts = [folder.relative_to(root).parts or (root.absolute().name,) for folder in by_video]
    stems = ([stem_of(file.name) for file in _maps(folder)] for own in by_video.values() for folder in own[:1])
    sources = sources.of(len(by_video)).over(stems)
    return [
        _video(own, name, place, _labels(semantics, place[-1]), sources)
        for own, name, place in zip(by_video.items(), short_names(parts), parts, strict=True)
    ]


def _labels(semantics: object, name: str) -> Mapping[str, str]:
    labels = semantics.get(name) if isinstance(semantics, dict) else None
    return {key: label for key, label in labels.items() if isinstance(label, str)} if isinstance(labels, dict) else {}


def _maps(folder: Path) -> list[Path]:
    return sorted(files_of(folder, (".png",), deep=False), key=lambda p: natural_key(p.name))


def _video(
    folders: tuple[Path, list[Path]], name: str, place: tuple[str, ...], labels: Mapping[str, str], sources: Sources
) -> VideoResults:
    folder, own = folders
    in_one = own == [folder]
    maps = {stem_of(file.name): file for one in own for file in _maps(one)}
    stems = sorted(maps, key=natural_key)
    height, width = _read_mask(maps[stems[0]]).ids.shape
    source = sources.describe(place[-1], "/".join(place))
    fps = source.fps if source is not None else IMAGE_FOLDER_FPS
    named = _named_frames([maps[stem] for stem in stems])
    frames = (
        FrameNumbers(named)
        if named is not None
        else sources.source_frames(str(folder), place[-1], stems, "/".join(place))
    )
    numbered = dict(zip(frames.frames, stems, strict=True))

    def read() -> Iterator[SeenFrame]:
        if in_one:
            return _frames(
                {frame: maps[stem] for frame, stem in numbered.items()}, labels, (height, width), fps, sources
            )
        return sav.frames(own, numbered, (height, width), fps)

    return VideoResults(
        name=name, width=width, height=height, fps=fps, read=read,
        length=None if source is None else source.declared_frames, place=place,
        by_number=named is None, origin=frames.origin,
    )  # fmt: skip


def _named_frames(maps: Sequence[Path]) -> list[int] | None:
    """Source frames, where these are our own files: they count, whatever the names are like."""
    with Image.open(maps[0], formats=("PNG",)) as image:
        if _FRAME not in getattr(image, "text", {}):
            return None
    return [int(path.stem) for path in maps] if all(path.stem.isdigit() for path in maps) else None


def _frames(
    maps: Mapping[int, Path], labels: Mapping[str, str], size: tuple[int, int], fps: float, sources: Sources
) -> Iterator[SeenFrame]:
    """DAVIS 2016 is black and white: 255 is its one object. In a palette 255 is what is not to be judged."""
    black_and_white: bool | None = None
    only_void: bool | None = None  # in a palette
    lenient = Lenient(sources.notes)
    for frame, path in maps.items():
        seen: SeenFrame | None = None
        with lenient.entry(str(path)):
            ids, coding, palette = _read_mask(path, size)
            if coding:
                sources.notes.add(str(path.parent), coding)
            present = [one for one in _present(ids) if one]
            if palette and present and only_void is None:
                only_void = _only_void(maps.values())
            if black_and_white is None and present and (not palette or only_void):
                black_and_white = present == [_VOID]
            ignored: tuple[Ignored, ...] = ()
            if black_and_white:
                if present not in ([], [_VOID]):
                    raise BadResults(f"ids {present[:5]} after frames in black and white")
                ids[ids == _VOID] = 1
            elif palette and _VOID in present:
                void = rle.encode(np.asarray(ids == _VOID, np.bool_))
                ignored = (Ignored("void", OBJECT, rle.box_xyxy(void), void),)
                ids[ids == _VOID] = 0
            seen = SeenFrame(frame, frame / fps, tuple(_objects(ids, labels)), ignored)
        if seen is not None:
            yield seen
    lenient.check()


def _only_void(maps: Iterable[Path]) -> bool:
    """Whether the first maps have no id but 255: black and white ones that were saved with a palette."""
    return all(set(_present(_read_mask(path).ids)) <= {0, _VOID} for path in islice(maps, _LOOKED_AT))


def _present(ids: npt.NDArray[np.int64]) -> list[int]:
    if ids.max() > _FEW:  # colours as numbers: counting would take their range
        return [int(one) for one in np.unique(ids)]
    return np.flatnonzero(np.bincount(ids.ravel())).tolist()


def _objects(ids: npt.NDArray[np.int64], labels: Mapping[str, str]) -> Iterator[SeenObject]:
    for obj_id in _present(ids):
        if obj_id:
            yield seen_mask(obj_id, ids == obj_id, labels.get(str(obj_id), OBJECT))


def _read_mask(path: Path, size: tuple[int, ...] | None = None) -> CodedMap:
    """As `read_map`, of ids that there may be. Raises `BadResults`."""
    coded = read_map(path, size)
    if coded.ids.min() < 0 or coded.ids.max() >= 2**31:
        raise BadResults(f"{path}: ids from 0 to 2,147,483,647 are read, not {coded.ids.min()} to {coded.ids.max()}")
    return coded


FORMAT = Format(
    "davis", "DAVIS 2017: a palette PNG each frame", ("mask",),
    "overlaps, scores, times, empty masks, ids above 254 (counted anew), videos of more than 254 objects",
    write, read, picture,
    marks=("crowd", "region", "void"),
)  # fmt: skip
