"""From the best sightings on a frame to its annotations, in pixels of the source."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.formats.dense_annotations import DenseObject
from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.tracks import FrameRecord, ObjectRecord
from core.long_video.merge import Identity, Sighting
from core.long_video.names import Names
from core.masks import rle
from core.masks.boxes import documented_xywh


@dataclass(frozen=True)
class Annotated:
    """An object on a frame.

    Attributes:
        number: of the object, for pictures, recordings and corrections.
        dense: its annotation, in pixels of the source.
        rle: its mask at the size at which objects were followed.
    """

    number: int
    dense: DenseObject
    rle: rle.RLE


class Annotator:
    """Makes annotations of sightings.

    Args:
        names: of all objects.
        size: width and height of the source.
        masks: whether annotations hold masks.
        carried: windows were carried on: annotations do not say which one they are from.
    """

    def __init__(self, names: Names, size: tuple[int, int], masks: bool, carried: bool) -> None:
        self._names = names
        self._size = size
        self._masks = masks
        self._carried = carried

    def annotate(self, best: dict[Identity, Sighting]) -> list[Annotated]:
        """All objects on a frame, by id."""
        objects = []
        for identity, seen in best.items():
            assoc_id, name = self._names.named(identity, seen.found.label)
            dense = self.dense(
                assoc_id, name, seen.found.rle, seen.found.score, seen.found.anchored,
                None if self._carried else seen.shard.window, seen.distance_s,
            )  # fmt: skip
            objects.append(Annotated(self._names.number(identity, seen.found.label), dense, seen.found.rle))
        return sorted(objects, key=lambda one: one.dense.assoc_id)

    def dense(
        self,
        assoc_id: str,
        name: str,
        mask: rle.RLE,
        score: float,
        anchored: bool,
        window: int | None,
        distance_s: float,
    ) -> DenseObject:
        """An object's annotation from its mask at any size."""
        height, width = mask["size"]
        across, down = self._size[0] / width, self._size[1] / height
        x0, y0, x1, y1 = rle.box_xyxy(mask)
        return DenseObject(
            assoc_id=assoc_id,
            assoc_name=name,
            bbox=(round(x0 * across, 2), round(y0 * down, 2), round(x1 * across, 2), round(y1 * down, 2)),
            score=score,
            source="prompt" if anchored else "propagated",
            window=window,
            prompt_distance_s=round(distance_s, 3),
            segmentation=enlarged(mask, *self._size) if self._masks else None,
        )


def seen_frame(frame: int, time_s: float, objects: Sequence[Annotated]) -> SeenFrame:
    """A frame in the neutral model, at the size at which objects were followed."""
    seen = (
        SeenObject(
            one.number, one.dense.assoc_name, rle.box_xyxy(one.rle), one.dense.score, one.rle, name=one.dense.assoc_id
        )
        for one in objects
    )
    return SeenFrame(frame, time_s, tuple(seen))


def frame_record(frame: int, time_s: float, frame_idx: int, objects: Sequence[Annotated]) -> FrameRecord:
    """A frame for a recording, at the size at which objects were followed."""
    records = []
    for one in objects:
        assoc_id, name = one.dense.assoc_id, one.dense.assoc_name
        x, y, width, height = documented_xywh(rle.box_xyxy(one.rle))
        label = name if assoc_id == str(one.number) else f"{name} {assoc_id}"
        records.append(
            ObjectRecord(
                obj_id=one.number, bbox=(x, y, width, height), label=label, score=one.dense.score,
                detection_score=None, rle=one.rle,
            )
        )  # fmt: skip
    return FrameRecord(frame_idx=frame_idx, source_frame=frame, time_s=time_s, objects=records)


def enlarged(small: rle.RLE, width: int, height: int) -> rle.RLE:
    """The mask at another size, its outline interpolated."""
    if small["size"] == [height, width]:
        return small
    soft = cv2.resize(rle.decode(small).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return rle.encode(np.asarray(soft >= 0.5, np.bool_))
