"""The photograph of an id map, and maps drawn on it: before and after, and where the two differ most."""

from collections.abc import Collection
from pathlib import Path

import cv2
import numpy as np

from core.errors import BadMedia
from core.formats.id_maps import IdMap
from core.masks.boundaries import boundary
from core.masks.contingency import label
from core.masks.draw import colour
from core.report.page import Picture
from core.video.frames import RGB
from core.video.image_file import read_image, turned_upright

_BLEND = 0.45
_MOST_STRETCH = 0.02  # by which an image's and its map's width to height may differ
_DETAIL_SHARE = 0.25  # of the longer side


def picture_of_map(path: Path, shape: tuple[int, int]) -> tuple[RGB, str]:
    """The photograph of a map [H, W] of this `shape`, and what was taken for granted ("" for nothing).

    A map fits its photograph as it is stored, or turned upright (EXIF), whichever has the map's shape; where both do,
    as it is stored: maps are mostly made from its pixels.

    Raises:
        BadMedia: the photograph cannot be read, or fits neither way.
    """
    stored = read_image(path, upright=False)
    turned = turned_upright(path)
    if _stretch(stored, shape) <= _MOST_STRETCH:
        why = f"its EXIF data want it turned ({turned}); the map was taken to fit it as it is stored"
        return stored, why if turned else ""
    upright = read_image(path)
    if _stretch(upright, shape) > _MOST_STRETCH:
        sizes = f"{upright.shape[1]}x{upright.shape[0]}, its map {shape[1]}x{shape[0]}"
        raise BadMedia(f"{path.name}: the image is {sizes}: another shape")
    return upright, ""


def _stretch(image: RGB, shape: tuple[int, int]) -> float:
    """By how much the width to height of an image and its map differ, 0 for none."""
    height, width = shape
    return float(abs(image.shape[1] * height / (image.shape[0] * width) - 1))


def draw_id_map(image: RGB, id_map: IdMap, background: Collection[int] | None = None) -> RGB:
    """The photograph [H, W, 3] tinted by id, with white borders; background as it is."""
    labels = label(id_map, background)
    tints = np.array([colour(one % 2**31) for one in labels.ids.tolist()] + [(0, 0, 0)], np.float32)
    drawn = ((1 - _BLEND) * image + _BLEND * tints[labels.number]).astype(np.uint8)
    drawn = np.where((labels.number < len(labels.ids))[..., None], drawn, image)
    line = max(1, round(max(id_map.shape) / 800))
    edges = cv2.dilate(boundary(labels.number).view(np.uint8), np.ones((line, line), np.uint8)).view(np.bool_)
    drawn[edges] = 255
    return np.asarray(drawn, np.uint8)


def before_and_after(
    image: RGB, before: IdMap, after: IdMap, truth: IdMap | None, background: Collection[int] | None = None
) -> list[Picture]:
    """Both maps whole, and the part where they differ most, with the truth there where it is known."""
    if image.shape[:2] != before.shape:
        image = np.asarray(cv2.resize(image, before.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    window = _most_changed(before != after)
    maps = {"before": before, "after": after}
    if truth is not None and truth.shape == before.shape:
        maps["truth"] = truth
    drawn = {name: draw_id_map(image, one, background) for name, one in maps.items()}
    whole = [Picture(drawn[name], name) for name in ("before", "after")]
    return whole + [Picture(one[window], f"detail, {name}") for name, one in drawn.items()]


def _most_changed(changed: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> tuple[slice, slice]:
    """The square with the most changed pixels."""
    height, width = changed.shape
    side = min(height, width, max(16, round(_DETAIL_SHARE * max(height, width))))
    counts = cv2.integral(changed.view(np.uint8))
    inside = counts[side:, side:] - counts[side:, :-side] - counts[:-side, side:] + counts[:-side, :-side]
    top, left = divmod(int(inside.argmax()), inside.shape[1])
    return slice(top, top + side), slice(left, left + side)
