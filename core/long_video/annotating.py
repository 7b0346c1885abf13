"""From the best sightings on a frame to its annotations, in pixels of the source."""

import cv2
import numpy as np

from core.formats.dense_annotations import DenseFrame, DenseObject
from core.formats.exchange.model import SeenFrame, SeenObject
from core.formats.tracks import FrameRecord, ObjectRecord
from core.long_video.merge import Identity, Sighting
from core.long_video.names import Names
from core.masks import rle
from core.masks.boxes import documented_xywh


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

    def annotate(self, frame: int, best: dict[Identity, Sighting]) -> DenseFrame:
        """All objects on a frame, by id."""
        objects = [
            self._object(*self._names.named(identity, seen.found.label), seen) for identity, seen in best.items()
        ]
        return DenseFrame(frame_number=frame, objects=sorted(objects, key=lambda one: one.assoc_id))

    def _object(self, assoc_id: str, name: str, seen: Sighting) -> DenseObject:
        height, width = seen.found.rle["size"]
        across, down = self._size[0] / width, self._size[1] / height
        x0, y0, x1, y1 = rle.box_xyxy(seen.found.rle)
        return DenseObject(
            assoc_id=assoc_id,
            assoc_name=name,
            bbox=(round(x0 * across, 2), round(y0 * down, 2), round(x1 * across, 2), round(y1 * down, 2)),
            score=seen.found.score,
            source="prompt" if seen.found.anchored else "propagated",
            window=None if self._carried else seen.shard.window,
            prompt_distance_s=round(seen.distance_s, 3),
            segmentation=enlarged(seen.found.rle, *self._size) if self._masks else None,
        )

    def seen(self, frame: int, time_s: float, best: dict[Identity, Sighting]) -> SeenFrame:
        """The same in the neutral model, at the size at which objects were followed."""
        objects = []
        for identity, sighting in best.items():
            found = sighting.found
            assoc_id, name = self._names.named(identity, found.label)
            number = self._names.number(identity, found.label)
            box = rle.box_xyxy(found.rle)
            objects.append(SeenObject(number, name, box, found.score, found.rle, name=assoc_id))
        return SeenFrame(frame, time_s, tuple(objects))

    def record(self, frame: int, time_s: float, frame_idx: int, best: dict[Identity, Sighting]) -> FrameRecord:
        """The same for a recording, at the size at which objects were followed."""
        objects = []
        for identity, seen in best.items():
            assoc_id, name = self._names.named(identity, seen.found.label)
            x, y, width, height = documented_xywh(rle.box_xyxy(seen.found.rle))
            number = self._names.number(identity, seen.found.label)
            objects.append(
                ObjectRecord(
                    obj_id=number,
                    bbox=(x, y, width, height),
                    label=name if assoc_id == str(number) else f"{name} {assoc_id}",
                    score=seen.found.score,
                    detection_score=None,
                    rle=seen.found.rle,
                )
            )
        return FrameRecord(frame_idx=frame_idx, source_frame=frame, time_s=time_s, objects=objects)


def enlarged(small: rle.RLE, width: int, height: int) -> rle.RLE:
    """The mask at another size, its outline interpolated."""
    if small["size"] == [height, width]:
        return small
    soft = cv2.resize(rle.decode(small).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return rle.encode(np.asarray(soft >= 0.5, np.bool_))
