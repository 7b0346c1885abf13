"""What a session remembers of one object: only what later frames read.

A frame is tracked from the frames prompted by hand (conditioning frames), the masks of the 6 frames before it and
the object pointers of the 15 frames before it (SAM 2, Ravi et al. 2024, sections 4 and D.1). The rest is forgotten
at once, so memory does not grow with the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sam2.modeling.sam2_utils import select_closest_cond_frames
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Memory:
    """What one frame left behind of one object.

    Attributes:
        pointer: the object pointer, [1, C].
        features: the memory encoder's output, bfloat16 [1, C_mem, h, w]; None once no later frame reads it.
        logits: mask logits at a quarter of the model's image size, float32 [1, 1, s, s]; None once not needed.
        score: presence times predicted IoU, [1]; goes with `logits`.
        presence: logit that the object is in the frame, [1, 1]; goes with `logits`.
    """

    pointer: Tensor
    features: Tensor | None = None
    logits: Tensor | None = None
    score: Tensor | None = None
    presence: Tensor | None = None

    def tensors(self) -> dict[str, Tensor]:
        """All that is held, by attribute."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def copied(self) -> "Memory":
        """The same in storage of its own."""
        return Memory(**{name: tensor.clone() for name, tensor in self.tensors().items()})


@dataclass(frozen=True)
class MemoryLimits:
    """How far back the model reads.

    Attributes:
        masks: number of mask memories, the conditioning one included (7).
        pointers: number of object pointers, the present frame's included (16).
        conditioning: most conditioning frames read at once; -1: all.
        past_pointers_only: conditioning frames ahead lend their masks, but not their pointers.
    """

    masks: int
    pointers: int
    conditioning: int
    past_pointers_only: bool

    @property
    def farthest(self) -> int:
        """Frames away beyond which nothing is read."""
        return max(self.masks, self.pointers) - 1


@dataclass(frozen=True, eq=False)
class Recall:
    """What one object remembers for one frame, in the order the model reads it.

    Attributes:
        masks: `(t_pos, memory)`; 0 for conditioning frames, else 1 (farthest) to 6 (the frame before).
        pointers: `(frames away, memory)`; negative for a conditioning frame ahead.
    """

    masks: list[tuple[int, Memory]]
    pointers: list[tuple[int, Memory]]

    @property
    def shape(self) -> tuple[tuple[int, ...], int]:
        """Objects whose recalls have the same shape can share a forward pass."""
        return tuple(t_pos for t_pos, _ in self.masks), len(self.pointers)


@dataclass(frozen=True)
class FramePosition:
    """A frame, and the direction of time: `step` is +1 forward, -1 backward."""

    frame: int
    step: int

    def since(self, past: int) -> int:
        """Frames from `past` to here in the direction of time; negative where `past` is still ahead."""
        return self.step * (self.frame - past)


@dataclass
class MemoryBank:
    """One object's memories, by frame: of frames prompted by hand, and of frames tracked."""

    conditioning: dict[int, Memory] = field(default_factory=dict)
    recent: dict[int, Memory] = field(default_factory=dict)

    def recall(self, position: FramePosition, reach: MemoryLimits) -> Recall:
        """What tracking the frame at `position` reads. Raises `ValueError` where it is forgotten."""
        near, others = select_closest_cond_frames(position.frame, self.conditioning, reach.conditioning)

        def before(distance: int) -> Memory | None:
            past = position.frame - position.step * distance
            return self.recent.get(past) or others.get(past)

        masks: list[tuple[int, Memory]] = [(0, memory) for memory in near.values()]
        for distance in range(reach.masks - 1, 0, -1):
            memory = before(distance)
            if memory is not None:
                masks.append((reach.masks - distance, memory))
        pointers = [
            (position.since(past), memory)
            for past, memory in near.items()
            if position.since(past) >= 0 or not reach.past_pointers_only
        ]
        for distance in range(1, reach.pointers):
            memory = before(distance)
            if memory is not None:
                pointers.append((distance, memory))
        if any(memory.features is None for _, memory in masks):
            raise ValueError(
                f"what frame {position.frame} needs is forgotten: call hold() on a frame before you turn round there"
            )
        return Recall(masks, pointers)

    def forget(self, positions: Sequence[FramePosition], reach: MemoryLimits) -> None:
        """Let go of what no frame from one of `positions` on reads, a correction there included.

        The first of `positions` is the present.
        """
        present = positions[0].frame
        for past, memory in list(self.recent.items()):
            since = min((position.since(past) for position in positions if position.since(past) >= 0), default=None)
            if since is None or since > reach.farthest:
                del self.recent[past]
            elif since >= reach.masks:
                self.recent[past] = Memory(memory.pointer)
            elif past != present:
                self.recent[past] = replace(memory, logits=None, score=None, presence=None)
        outdated = set.intersection(*(self._outdated(position, reach) for position in positions))
        for past in outdated:
            del self.conditioning[past]

    def _outdated(self, position: FramePosition, reach: MemoryLimits) -> set[int]:
        """Conditioning frames that closer ones have replaced for all frames from `position` on."""
        if reach.conditioning < 0:
            return set()
        behind = sorted((past for past in self.conditioning if position.since(past) >= 0), key=position.since)
        return {past for past in behind[reach.conditioning :] if position.since(past) > reach.farthest}
