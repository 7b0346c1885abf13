"""The work of one item: some images of one scene refined. Runs in a device worker."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia, UnsafeFile
from core.formats.id_maps import IdMap, read_coded_map, write_id_map, write_png16
from core.formats.review_jsonl import ReviewEntry, write_review
from core.item import Record, item
from core.memory import PeakMemory, release_free
from core.models.registry import GENERATORS
from core.models.roles import MaskGenerator
from core.models.spec import ModelSpec
from core.progress import Progress
from core.quality.review import review_picture
from core.refining.pictures import picture_of_map
from core.refining.refine import Refined, Settings, refine_map
from core.refining.scores import ImageScore, score
from core.video.frames import RGB
from core.video.source import read_ahead

SCORES_FILE, REVIEW_FILE = "scores.jsonl", "review.jsonl"
_AHEAD = 2


class ImageRequest(BaseModel):
    """One image's files."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    image: Path
    id_map: Path


class RefineRequest(BaseModel):
    """Images to refine, the generator, and how; `png`: write 16-bit PNG files too."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: list[ImageRequest]
    generator: ModelSpec
    settings: Settings
    png: bool = False


@dataclass(frozen=True, eq=False)
class _Read:
    """An image [H, W, 3] of its map's size, its map [H, W], and what was taken for granted ("" for nothing)."""

    name: str
    image: RGB
    id_map: IdMap
    warning: str


@dataclass(frozen=True)
class _Unread:
    name: str
    reason: str


@item(RefineRequest)
def refine_images(request: RefineRequest, folder: Path, report: Progress) -> Record:
    """Refine images; leaves `<image>.pth` (and `.png`) for each in `folder`, `scores.jsonl` and `review.jsonl`.

    An image that cannot be read is named in the record, and leaves the others alone.

    Returns:
        scene; images: a line about each that was refined; failed, warnings: a line about each it concerns; seconds,
        memory.
    """
    release_free()
    memory = PeakMemory()
    generator = GENERATORS.load(request.generator)
    scores: list[ImageScore] = []
    doubtful: list[ReviewEntry] = []
    failed, warnings = {}, {}
    with read_ahead(_read(request.images), depth=_AHEAD) as pairs:
        for done, pair in enumerate(pairs, 1):
            if isinstance(pair, _Unread):
                failed[pair.name] = pair.reason
            else:
                scored, warning = _refine(pair, generator, request, folder, doubtful)
                scores.append(scored)
                if remarks := "; ".join(one for one in (pair.warning, warning) if one):
                    warnings[pair.name] = remarks
            memory.sample()
            report(done, len(request.images))
    lines = (scored.model_dump_json() + "\n" for scored in scores)
    (folder / SCORES_FILE).write_text("".join(lines), encoding="utf-8")
    write_review(folder / REVIEW_FILE, doubtful)
    return {
        "scene": request.images[0].image.parents[1].name,
        "images": {scored.image: _sentence(scored) for scored in scores},
        "failed": failed,
        "warnings": warnings,
        "memory": memory.record(),
    }


def _sentence(scored: ImageScore) -> str:
    return (
        f"{scored.masks} masks, {scored.matched} of {scored.objects} ids matched, {scored.merged} merged, "
        f"{scored.changed:.1%} of the pixels changed"
    )


def _refine(
    pair: _Read, generator: MaskGenerator, request: RefineRequest, folder: Path, doubtful: list[ReviewEntry]
) -> tuple[ImageScore, str]:
    masks = [one.region for one in generator.generate(pair.image)]
    result = refine_map(pair.image, pair.id_map, masks, request.settings)
    scored = score(pair.name, len(masks), pair.id_map, result)
    write_id_map(folder / f"{pair.name}.pth", result.id_map)
    doubtful.extend(review_picture(pair.name, result.id_map, result.labels.ids.tolist(), pair.image))
    if request.png:
        try:
            write_png16(folder / f"{pair.name}.png", _with_zero_background(result))
        except ValueError as error:
            return scored, f"no PNG: {error}"
    return scored, ""


def _with_zero_background(result: Refined) -> IdMap:
    """PNG files have no negative numbers: background is 0 there. Raises `ValueError` where 0 is an object."""
    if 0 in result.labels.ids:
        raise ValueError("id 0 is an object, so that background has no number of its own")
    return np.where(result.number == len(result.labels.ids), 0, result.id_map)


def _read(images: Sequence[ImageRequest]) -> Iterator[_Read | _Unread]:
    for files in images:
        try:
            yield _pair(files)
        except (BadMedia, UnsafeFile) as error:
            yield _Unread(files.image.name, str(error))


def _pair(files: ImageRequest) -> _Read:
    coded = read_coded_map(files.id_map)
    height, width = coded.ids.shape
    image, turned = picture_of_map(files.image, (height, width))
    if image.shape[:2] != (height, width):
        image = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))
    warning = "; ".join(remark for remark in (coded.coding, turned) if remark)
    return _Read(files.image.name, image, coded.ids, warning)


def read_scores(folder: Path) -> list[ImageScore]:
    """What `refine_images` left of each image, in order."""
    lines = (folder / SCORES_FILE).read_text(encoding="utf-8").split("\n")
    return [ImageScore.model_validate_json(line) for line in lines if line]
