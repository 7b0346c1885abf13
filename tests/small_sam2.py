"""A small SAM 2 with random weights, and the package's own predictor run as its users run it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from sam2.build_sam import build_sam2_video_predictor
from sam2.modeling.sam2_base import SAM2Base
from sam2.sam2_video_predictor import SAM2VideoPredictor
from torch import Tensor

from core.models.sam2.build import build
from core.models.sam2.predictor import Masks, StreamingPredictor
from core.prompts import Prompt
from core.video.frames import RGB
from core.weights.sam2_names import SamType, config_name

SIZE = 128
Logits = dict[tuple[int, int], Tensor]
"""Mask logits [H, W] by frame and object."""


def small_sam2(
    seed: int = 0, conditioning_frames: int = -1, sam_type: SamType = "sam2.1_hiera_tiny", present: float = 2.0
) -> SAM2Base:
    """A tiny SAM 2 that sees little, seeded. It finds its objects `present`: else all masks were one constant."""
    torch.manual_seed(seed)
    model = build(sam_type, torch.device("cpu"), SIZE, conditioning_frames)
    with torch.no_grad():
        head = model.sam_mask_decoder.pred_obj_score_head
        (head.layers[-1] if hasattr(head, "layers") else head).bias.fill_(present)
    return model


def package_predictor(model: SAM2Base, sam_type: SamType = "sam2.1_hiera_tiny") -> SAM2VideoPredictor:
    """The package's video predictor as the package builds it, with the weights of `model`."""
    overrides = [
        f"++model.image_size={model.image_size}",
        f"++model.max_cond_frames_in_attn={model.max_cond_frames_in_attn}",
    ]
    predictor = build_sam2_video_predictor(config_name(sam_type), device="cpu", hydra_overrides_extra=overrides)
    predictor.load_state_dict(model.state_dict())
    predictor.fill_hole_area = 0  # holes are filled by the package's CUDA extension only
    return predictor


class Package:
    """One video in the package's predictor."""

    def __init__(self, predictor: SAM2VideoPredictor, jpegs: Path) -> None:
        self._predictor = predictor
        self.state: dict[str, Any] = predictor.init_state(str(jpegs))
        self.logits: Logits = {}

    def add(self, frame: int, obj_id: int, prompt: Prompt) -> None:
        """Prompt, and note the prompted object's mask."""
        if prompt.mask is not None:
            _, ids, masks = self._predictor.add_new_mask(self.state, frame, obj_id, prompt.mask)
        else:
            points = [point[:2] for point in prompt.points] or None
            labels = [int(point[2]) for point in prompt.points] or None
            _, ids, masks = self._predictor.add_new_points_or_box(
                self.state, frame, obj_id, points=points, labels=labels, box=prompt.box
            )
        self.logits[frame, obj_id] = masks[ids.index(obj_id), 0].clone()

    def track(self, first: int, last: int) -> None:
        """Track from one frame to the other, both included, in either direction."""
        propagated = self._predictor.propagate_in_video(
            self.state, start_frame_idx=first, max_frame_num_to_track=abs(last - first), reverse=last < first
        )
        for frame, ids, masks in propagated:
            for row, obj_id in enumerate(ids):
                self.logits[frame, obj_id] = masks[row, 0].clone()


class Ours:
    """One video in our predictor, fed one frame at a time."""

    def __init__(self, predictor: StreamingPredictor, frames: list[RGB]) -> None:
        self.predictor = predictor
        self._frames = frames
        self.logits: Logits = {}

    def seek(self, frame: int, reverse: bool = False) -> None:
        """Make a frame the present one."""
        self.predictor.seek(frame, self._frames[frame], reverse)

    def add(self, obj_id: int, prompt: Prompt) -> None:
        """Prompt on the present frame, and note the mask."""
        self._note(self.predictor.add(obj_id, prompt))

    def advance(self, frames: Iterable[int]) -> None:
        """Track the frames of these numbers, which follow the present one."""
        for frame in frames:
            self._note(self.predictor.advance(self._frames[frame]))
            assert self.predictor.frame == frame

    def _note(self, masks: Masks) -> None:
        full = self.predictor.video_logits(masks.logits)
        for row, obj_id in enumerate(masks.obj_ids):
            self.logits[self.predictor.frame, obj_id] = full[row, 0].clone()


def assert_equal(ours: Logits, package: Logits, constant: float = 0.1) -> None:
    """Every logit equal to the last bit; and no larger share than `constant` of the masks is the same everywhere."""
    assert ours.keys() == package.keys()
    different = [key for key, logits in ours.items() if not torch.equal(logits, package[key])]
    assert not different, f"{len(different)} of {len(ours)} masks differ, first (frame, object) {different[0]}"
    flat = sum(bool(logits.std() < 1e-3) for logits in ours.values())
    assert flat < constant * len(ours), f"{flat} of {len(ours)} masks are constant: nothing was compared"
