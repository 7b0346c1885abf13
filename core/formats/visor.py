"""EPIC-KITCHENS VISOR (Darkhalil et al., NeurIPS 2022): sparse polygons as prompts.

    {"video_annotations": [{"image": {"name", "video", "subsequence"},
                            "annotations": [{"name", "segments": [[[x, y]]]}]}]}

Polygons are in pixels of 1920x1080. VISOR counts frames in its own way; `frame_mapping.json`, where it lies beside
the file, says which frame of EPIC-KITCHENS each is. These count from 1, and were taken 60 times a second from the
videos of 2018 (P01_01), 50 times a second from those of 2020 (P01_101), whatever the film's rate: a number is a time.
"""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.errors import RefusedInput, UnsafeFile, reason_of
from core.formats.prompts import Pixels
from core.formats.sparse_annotations import Problem, SparseAnnotations, SparsePrompt
from core.masks import rle
from core.store.safe_load import load_json

_SIZE = (1920, 1080)
_MAX_BYTES = 1_000_000_000
_RATES = {2: 60, 3: 50}
"""Frames taken a second, by the digits of a video's number."""
_NUMBER = re.compile(r"frame_(\d+)\.\w+$")
MAPPING_FILE = "frame_mapping.json"
_MAPPING = TypeAdapter(dict[str, dict[str, str]])


class _Image(BaseModel):
    name: str
    video: str
    subsequence: str = ""


class _Shape(BaseModel):
    name: str
    segments: list[list[tuple[Pixels, Pixels]]]


class Visor:
    """One VISOR file, read once. Raises `RefusedInput` where it is not of the documented form."""

    def __init__(self, path: Path) -> None:
        content = _load(path)
        if not isinstance(content, dict) or not isinstance(content.get("video_annotations"), list):
            raise RefusedInput.of("visor", str(path), "a JSON object with a list video_annotations")
        self._images: list[Any] = content["video_annotations"]
        mapping = path.parent / MAPPING_FILE
        try:
            self._mapping = _MAPPING.validate_python(_load(mapping) if mapping.is_file() else {})
        except ValidationError:
            raise RefusedInput(f"{mapping} is not of the form {{video: {{image name: frame name}}}}") from None

    def annotations(
        self, video_id: str, width: int, height: int, times_s: npt.NDArray[np.float64]
    ) -> SparseAnnotations | None:
        """The objects of a video; None where the file has no image of it.

        VISOR's names hold within a subsequence: an object's id is both together.

        Args:
            video_id: as the file names it.
            width: of the film, in pixels.
            height: of the film, in pixels.
            times_s: when each frame of the film is shown.
        """
        found = SparseAnnotations()
        prompts: dict[tuple[str, str], list[SparsePrompt]] = {}
        known = False
        for number, entry in enumerate(self._images):
            try:
                image = _Image.model_validate(entry["image"])
                if image.video != video_id:
                    continue
                known = True
                shapes = [_Shape.model_validate(shape) for shape in entry["annotations"]]
                frame = _frame_of(self._number(image), video_id, times_s)
            except (ValidationError, KeyError, TypeError, ValueError) as error:
                found.problems.append(Problem(f"image {number}", str(error).splitlines()[0]))
                continue
            for name in dict.fromkeys(shape.name for shape in shapes):
                polygons = [polygon for shape in shapes if shape.name == name for polygon in shape.segments]
                drawn = SparsePrompt(frame=frame, mask=_draw(polygons, width, height))
                prompts.setdefault((image.subsequence, name), []).append(drawn)
        for (subsequence, name), shown in prompts.items():
            found.add(f"{subsequence}/{name}" if subsequence else name, name, shown, ())
        return found if known else None

    def _number(self, image: _Image) -> int:
        match = _NUMBER.search(self._mapping.get(image.video, {}).get(image.name, image.name))
        if match is None or int(match[1]) < 1:
            raise ValueError(f"{image.name}: an image is called …frame_<number from 1>.jpg")
        return int(match[1]) - 1


def _frame_of(number: int, video_id: str, times_s: npt.NDArray[np.float64]) -> int:
    """The frame of the film nearest to the time of a frame that was taken from it; its length where it is over."""
    match = re.fullmatch(r"P\d+_(\d{2,3})", video_id)
    if match is None:
        return number
    time_s = number / _RATES[len(match[1])]
    step_s = float(times_s[-1] - times_s[0]) / max(1, len(times_s) - 1)
    if time_s > times_s[-1] + step_s:
        return len(times_s)
    return int(np.abs(times_s - time_s).argmin())


def _load(path: Path) -> Any:
    try:
        return load_json(path, _MAX_BYTES)
    except (OSError, UnsafeFile) as error:
        raise RefusedInput.unusable("visor", str(path), reason_of(error)) from None


def _draw(polygons: list[list[tuple[float, float]]], width: int, height: int) -> rle.RLE:
    scale = np.array([width / _SIZE[0], height / _SIZE[1]])
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        if len(polygon) >= 3:
            cv2.fillPoly(mask, [np.rint(np.asarray(polygon) * scale).astype(np.int32)], 1)
    return rle.encode(np.asarray(mask.view(np.bool_), np.bool_))
