"""EPIC-KITCHENS VISOR (Darkhalil et al., NeurIPS 2022): sparse polygons as prompts.

    {"video_annotations": [{"image": {"name", "video", "subsequence"},
                            "annotations": [{"name", "segments": [[[x, y]]]}]}]}

Polygons are in pixels of 1920x1080. VISOR counts frames in its own way; `frame_mapping.json`, where it lies beside
the file, tells which frame of EPIC-KITCHENS each is (these count from 1).
"""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.errors import RefusedInput, UnsafeFile
from core.formats.prompts import Pixels
from core.formats.sparse_annotations import Problem, SparseAnnotations, SparsePrompt
from core.masks import rle
from core.store.safe_load import load_json

_SIZE = (1920, 1080)
_MAX_BYTES = 1_000_000_000
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

    def annotations(self, video_id: str, width: int, height: int) -> SparseAnnotations | None:
        """The objects of a video of this size; None where the file has no image of it.

        VISOR's names hold within a subsequence: an object's id is both together.
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
                frame = self._frame(image)
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

    def _frame(self, image: _Image) -> int:
        match = _NUMBER.search(self._mapping.get(image.video, {}).get(image.name, image.name))
        if match is None or int(match[1]) < 1:
            raise ValueError(f"{image.name}: an image is called …frame_<number from 1>.jpg")
        return int(match[1]) - 1


def _load(path: Path) -> Any:
    try:
        return load_json(path, _MAX_BYTES)
    except (OSError, UnsafeFile) as error:
        raise RefusedInput(f"visor = {str(path)!r} cannot be read: {error}") from None


def _draw(polygons: list[list[tuple[float, float]]], width: int, height: int) -> rle.RLE:
    scale = np.array([width / _SIZE[0], height / _SIZE[1]])
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        if len(polygon) >= 3:
            cv2.fillPoly(mask, [np.rint(np.asarray(polygon) * scale).astype(np.int32)], 1)
    return rle.encode(np.asarray(mask.view(np.bool_), np.bool_))
