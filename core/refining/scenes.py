"""Scenes on disk: folders with `images/` and `obj_ids/`, and which map belongs to which image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import reason_of
from core.formats.id_maps import SUFFIXES as MAP_SUFFIXES
from core.video.image_file import natural_key
from core.video.image_folder import image_files

IMAGES, MAPS, REFINED = "images", "obj_ids", "obj_ids_refine"


@dataclass(frozen=True)
class ImageFiles:
    """An image, its id map, the true map where there is one, and its place among the scene's images."""

    image: Path
    id_map: Path
    truth: Path | None = None
    place: int = 0

    @property
    def name(self) -> str:
        """The image file's name, which outputs are named after."""
        return self.image.name


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        name: of its folder.
        files: what can be refined, in natural order of the images' names.
        failures: what cannot: image (or "" for the scene itself), and the reason.
    """

    name: str
    files: Sequence[ImageFiles]
    failures: Sequence[tuple[str, str]] = field(default_factory=tuple)


def scene_names(root: Path) -> list[str]:
    """Folders in `root` that hold images or maps, in natural order. Raises `OSError`."""
    found = [path.name for path in root.iterdir() if path.name[0] != "." and _holds(path)]
    return sorted(found, key=natural_key)


def _holds(folder: Path) -> bool:
    try:
        return (folder / IMAGES).is_dir() or (folder / MAPS).is_dir()
    except PermissionError:
        return True  # reading it will say why it cannot be read


def read_scene(root: Path, name: str, truth: Path | None = None) -> Scene:
    """List a scene's images and their maps.

    Args:
        root: folder of the scenes.
        name: of the scene's folder.
        truth: folder with true maps: `<truth>/<scene>/obj_ids/<map>` or `<truth>/<scene>/<map>`.
    """
    folder = root / name
    try:
        for part in (IMAGES, MAPS):
            if not (folder / part).is_dir():
                return Scene(name, (), [("", f"no folder {part}/ in {folder}")])
        images = image_files(folder / IMAGES)
        maps, truths = _maps(folder / MAPS), {}
        if truth is not None:
            truths = _maps(next((p for p in (truth / name / MAPS, truth / name) if p.is_dir()), None))
    except OSError as error:
        return Scene(name, (), [("", f"{error.filename}: {reason_of(error)}")])
    if not images:
        return Scene(name, (), [("", f"no image in {folder / IMAGES}")])
    files, failures = [], []
    for place, image in enumerate(images):
        id_map = _of(image, maps)
        if not _is_text(image.name):
            failures.append((ascii(image.name), "its name is not text: rename it"))
        elif id_map is None:
            failures.append((image.name, f"no id map {MAPS}/{image.name}.pth (or .png, .npz)"))
        else:
            files.append(ImageFiles(image, id_map, _of(image, truths), place))
    return Scene(name, files, failures)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _maps(folder: Path | None) -> dict[str, Path]:
    return {} if folder is None else {path.name: path for path in folder.iterdir()}


def _of(image: Path, maps: dict[str, Path]) -> Path | None:
    """The map called after the image, with its suffix (as documented) or without."""
    wanted: Iterable[str] = (f"{name}{suffix}" for name in (image.name, image.stem) for suffix in MAP_SUFFIXES)
    return next((maps[name] for name in wanted if name in maps), None)
