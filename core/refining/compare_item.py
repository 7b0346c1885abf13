"""The work of one item: refined maps of some images compared with true ones. Runs in a device worker."""

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from core.errors import BadMedia, UnsafeFile
from core.formats.id_maps import read_id_map
from core.item import Record, item
from core.masks.contingency import Counts, label
from core.progress import Progress
from core.refining.scores import TruthScore, compare

TRUTH_FILE = "truth.jsonl"


class TruthRequest(BaseModel):
    """One image's map before, refined, and the true one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    image: str
    id_map: Path
    refined: Path
    truth: Path


class CompareRequest(BaseModel):
    """Images to compare; `background`: ids that are no objects, None: all from 0 down."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: list[TruthRequest]
    background: tuple[int, ...] | None = None


class ImageTruth(BaseModel):
    """A line of `truth.jsonl`."""

    model_config = ConfigDict(frozen=True)
    image: str
    score: TruthScore


@item(CompareRequest)
def compare_images(request: CompareRequest, folder: Path, report: Progress) -> Record:
    """Leave `truth.jsonl` in `folder`: an `ImageTruth` for each image whose truth can be used.

    Returns:
        images: how many were compared; warnings: by image, why it was not.
    """
    lines, warnings = [], {}
    for done, files in enumerate(request.images, 1):
        try:
            truth, before = read_id_map(files.truth), read_id_map(files.id_map)
            if truth.shape != before.shape:
                sizes = f"the truth is {truth.shape[1]}x{truth.shape[0]}, the map {before.shape[1]}x{before.shape[0]}"
                raise BadMedia(sizes)
            _check_ids(label(truth, request.background).ids, label(before, request.background).ids)
            compared = compare(truth, before, read_id_map(files.refined), request.background)
            lines.append(ImageTruth(image=files.image, score=compared).model_dump_json() + "\n")
        except (BadMedia, UnsafeFile) as error:
            warnings[files.image] = f"not compared: {error}"
        report(done, len(request.images))
    (folder / TRUTH_FILE).write_text("".join(lines), encoding="utf-8")
    return {"images": len(lines), "warnings": warnings}


def _check_ids(true: Counts, known: Counts) -> None:
    """Raises `BadMedia` where both have ids and none is in both: they cannot be compared."""
    if len(true) and len(known) and not np.intersect1d(true, known).size:
        some = [", ".join(map(str, ids[:5])) + (" …" if len(ids) > 5 else "") for ids in (true, known)]
        raise BadMedia(f"no id of the truth ({some[0]}) is in the map ({some[1]}): give a truth with the same ids")


def read_truth(folder: Path) -> dict[str, TruthScore]:
    """What `compare_images` left, by image."""
    lines = (folder / TRUTH_FILE).read_text(encoding="utf-8").split("\n")
    lines_read = (ImageTruth.model_validate_json(line) for line in lines if line)
    return {one.image: one.score for one in lines_read}
