"""How well annotations are met that nobody was shown: a quality number without further ground truth."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from core.formats.sparse_annotations import SparsePrompt
from core.long_video.annotating import enlarged
from core.long_video.merge import Identity, Sighting
from core.masks import rle
from core.masks.boxes import iou_matrix

_MET = 0.5


class HoldOut:
    """Compares held-out annotations with what was found on their frames.

    Args:
        held_out: by number of the object.
        size: width and height of the source.
    """

    def __init__(self, held_out: Mapping[int, Sequence[SparsePrompt]], size: tuple[int, int]) -> None:
        self._size = size
        self._by_frame: dict[int, list[tuple[int, SparsePrompt]]] = defaultdict(list)
        self._found: dict[tuple[int, int], Sighting] = {}
        for obj_id, prompts in held_out.items():
            for prompt in prompts:
                self._by_frame[prompt.frame].append((obj_id, prompt))

    def add(self, frame: int, best: Mapping[Identity, Sighting]) -> None:
        """Remember what was found where something was held out."""
        for obj_id, _ in self._by_frame.get(frame, []):
            if (-1, obj_id) in best:
                self._found[frame, obj_id] = best[-1, obj_id]

    def judged(self, objects: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
        """Each held-out annotation with the IoU of its box (0 where nothing was found), and of its mask."""
        return [
            self._judge(frame, objects[obj_id], prompt, self._found.get((frame, obj_id)))
            for frame in sorted(self._by_frame)
            for obj_id, prompt in self._by_frame[frame]
        ]

    def _judge(
        self, frame: int, named: tuple[str, str], expected: SparsePrompt, seen: Sighting | None
    ) -> dict[str, Any]:
        judged: dict[str, Any] = {"assoc_id": named[0], "assoc_name": named[1], "frame_number": frame, "iou": 0.0}
        if expected.mask is not None:
            judged["mask_iou"] = 0.0
        if seen is None:
            return judged
        found = enlarged(seen.found.rle, *self._size)
        judged["prompt_distance_s"] = round(seen.distance_s, 3)
        if expected.extent is not None:
            judged["iou"] = round(float(iou_matrix([rle.box_xyxy(found)], [expected.extent])[0, 0]), 4)
        if expected.mask is not None:
            judged["mask_iou"] = round(float(rle.iou_matrix([found], [expected.mask])[0, 0]), 4)
        return judged


def summary(judged: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Number, mean IoU, and share met at IoU 0.5; None where nothing was held out."""
    if not judged:
        return None
    ious = [float(one["iou"]) for one in judged]
    return {
        "annotations": len(ious),
        "mean_iou": round(sum(ious) / len(ious), 4),
        "share_met": round(sum(iou >= _MET for iou in ious) / len(ious), 4),
    }
