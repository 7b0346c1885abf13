"""Objects that share a forward pass: those whose memories have the same shape."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from core.models.sam2.attention import condition
from core.models.sam2.features import Features
from core.models.sam2.heads import Decoded, decode, encode_memory
from core.models.sam2.memory import Memory, Recall


def batches(recalls: Mapping[int, Recall], most: int) -> Iterator[list[int]]:
    """Ids of objects whose memories have the same shape, at most so many at once."""
    alike: defaultdict[object, list[int]] = defaultdict(list)
    for obj_id, recall in recalls.items():
        alike[recall.shape].append(obj_id)
    for obj_ids in alike.values():
        for start in range(0, len(obj_ids), most):
            yield obj_ids[start : start + most]


def track_batch(
    model: SAM2Base, frame: Features, recalls: Sequence[Recall], position: Tensor, span: int, pad: bool
) -> list[Memory]:
    """Track objects to a frame in one forward pass: what the frame leaves behind of each, in their order.

    Args:
        model: SAM 2.
        frame: the frame's features.
        recalls: what each object remembers; all of the same shape.
        position: see `condition`.
        span: see `condition`.
        pad: fill the batch up to a power of two.
    """
    rows = list(recalls)
    if pad:
        rows += [rows[-1]] * (_power_of_two(len(rows)) - len(rows))
    fused = condition(model, frame, rows, position, span)
    decoded = decode(model, frame, fused)
    encoded = encode_memory(model, frame, decoded.full, decoded.presence, by_hand=False)
    if len(rows) == 1:
        return [_memory(decoded, encoded, slice(None))]
    # Copies, so that an object's memory does not keep the whole batch alive.
    return [_memory(decoded, encoded, slice(row, row + 1)).copied() for row in range(len(recalls))]


def _power_of_two(count: int) -> int:
    """The smallest power of two that is no less."""
    return 1 << (count - 1).bit_length()


def _memory(decoded: Decoded, encoded: Tensor, rows: slice) -> Memory:
    return Memory(
        decoded.pointer[rows], encoded[rows], decoded.logits[rows], decoded.score[rows], decoded.presence[rows]
    )
