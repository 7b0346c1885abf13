"""Training from scratch: clips of one to eight frames, prompted on the first, corrected on some."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from benchmarks.tiny_sam2.losses import step_loss
from benchmarks.tiny_sam2.prompting import Bools, corrections, first_prompts
from benchmarks.tiny_sam2.scenes import random_clip

MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
_LEAST_PIXELS = 6  # of a visible object
_CORRECTED = 0.35  # of the passes
_OBJECTS = 3
_PICTURES, _SHORT_CLIPS = 0.25, 0.55  # parts of the training, after which clips become longer


@dataclass(frozen=True)
class Schedule:
    """How long to train, and on what.

    Attributes:
        steps: of the optimiser.
        learning_rate: the highest, after `warm_up` steps; falls to nothing as a cosine.
        warm_up: steps.
        averaged: of the weights that are kept, how much of the last step's average stays.
    """

    steps: int
    learning_rate: float = 5e-4
    warm_up: int = 100
    averaged: float = 0.998

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))

    def batch(self, step: int) -> "Batch":
        """What a step learns from: large objects in single pictures first, then ever longer clips."""
        done = step / self.steps
        if done < _PICTURES:
            return Batch(frames=1, clips=8, smallest=0.14 - 0.08 * done / _PICTURES, balanced=1 - done / _PICTURES)
        if done < _SHORT_CLIPS:
            return Batch(frames=2 + step % 3, clips=3)
        return Batch(frames=4 + step % 5, clips=2)


@dataclass(frozen=True)
class Batch:
    """Clips of a step: how many, how long, the least radius of an object in parts of the side; see `step_loss`."""

    frames: int
    clips: int
    smallest: float = 0.06
    balanced: float = 0.0


def train(model: SAM2Base, schedule: Schedule, seed: int, report: Callable[[str], None]) -> None:
    """Train `model` in place; ends in evaluation mode, with the averaged weights."""
    torch.use_deterministic_algorithms(True)
    rng = np.random.default_rng(seed)
    with torch.no_grad():  # at first everything is taken to be there, or no mask would be taught
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(2.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=0.02, betas=(0.9, 0.99))
    averaged = torch.optim.swa_utils.AveragedModel(
        model,
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(schedule.averaged),  # type: ignore[no-untyped-call]
    )
    model.train()
    started_s, losses, scores = time.monotonic(), [], []
    for step in range(schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        batch = schedule.batch(step)
        loss, iou = _clip_loss(model, rng, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        averaged.update_parameters(model)
        losses.append(loss.item())
        scores.append(iou)
        if (step + 1) % 100 == 0:
            minutes = (time.monotonic() - started_s) / 60
            report(
                f"step {step + 1:5d} of {schedule.steps}  {minutes:5.1f} min  frames {batch.frames}"
                f"  loss {np.mean(losses[-100:]):.3f}  IoU {np.nanmean(scores[-100:]):.3f}"
            )
    model.load_state_dict(averaged.module.state_dict())
    model.eval()


def _clip_loss(model: SAM2Base, rng: np.random.Generator, batch: Batch) -> tuple[Tensor, float]:
    """Loss, and mean IoU of the last frame, of some new clips."""
    frames, clips = batch.frames, batch.clips
    made = [
        random_clip(rng, frames, model.image_size, _OBJECTS, batch.smallest, repeat=int(rng.integers(1, 4)))
        for _ in range(clips)
    ]
    # Objects that are seen on the first frame, of all clips in one batch: [T, B, S, S].
    truth = np.concatenate([clip.masks for clip in made], axis=1)
    truth &= (truth.sum((2, 3)) >= _LEAST_PIXELS)[..., None, None]
    seen = np.flatnonzero(truth[0].any((1, 2)))
    if not len(seen):
        return _clip_loss(model, rng, batch)
    truth = truth[:, seen]
    pixels = torch.from_numpy(np.stack([clip.images for clip in made], axis=1)).permute(0, 1, 4, 2, 3)
    pixels = (pixels.float() / 255 - MEAN) / STD
    encoded = model.forward_image(pixels.flatten(0, 1))
    _, levels, positions, sizes = model._prepare_backbone_features(encoded)
    outputs: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    losses: list[Tensor] = []
    iou = math.nan
    for frame in range(frames):
        rows = torch.from_numpy(seen // _OBJECTS + frame * clips)
        features = [level[:, rows] for level in levels]
        places = [position[:, rows] for position in positions]
        step = _Frame(model, frame, batch, features, places, sizes, outputs)
        found = step.run(rng, truth[frame], losses)
        kind = "cond_frame_outputs" if frame == 0 else "non_cond_frame_outputs"
        outputs[kind][frame] = found
        iou = _mean_iou(found["pred_masks_high_res"][:, 0] > 0, truth[frame])
    return torch.stack(losses).mean(), iou


@dataclass(frozen=True, eq=False)
class _Frame:
    """One frame of a batch: its features, and what was found before."""

    model: SAM2Base
    index: int
    batch: Batch
    features: list[Tensor]
    places: list[Tensor]
    sizes: list[tuple[int, int]]
    outputs: dict[str, dict[int, Any]]

    def run(self, rng: np.random.Generator, truth: Bools, losses: list[Tensor]) -> dict[str, Any]:
        """Find the objects, perhaps correct them by a click, and remember them."""
        target = torch.from_numpy(truth).float()
        points = masks = None
        if self.index == 0:
            prompts = first_prompts(rng, truth, with_masks=self.batch.frames > 1)
            points, masks = prompts.points, prompts.masks
        heads = self._heads(points, masks, None)
        if masks is None:
            losses.append(step_loss(heads[1], heads[2], heads[6], target, self.batch.balanced))
            if rng.random() < _CORRECTED:
                found = (heads[4][:, 0] > 0).numpy()
                clicks = corrections(rng, truth, found)
                if points is not None:
                    clicks = {name: torch.cat([points[name], clicks[name]], 1) for name in points}
                points = clicks
                heads = self._heads(points, None, heads[3].detach().clamp(-32, 32))
                losses.append(step_loss(heads[1], heads[2], heads[6], target, self.batch.balanced))
        out: dict[str, Any] = {"pred_masks_high_res": heads[4].detach(), "obj_ptr": heads[5]}
        remembered = self.index + 1 < self.batch.frames
        self.model._encode_memory_in_output(self.features, self.sizes, points, remembered, heads[4], heads[6], out)
        return out

    def _heads(self, points: dict[str, Tensor] | None, masks: Tensor | None, earlier: Tensor | None) -> Any:
        _, heads, _, _ = self.model._track_step(
            self.index, self.index == 0, self.features, self.places, self.sizes, points, masks,
            self.outputs, self.batch.frames, False, earlier,
        )  # fmt: skip
        return heads


def _mean_iou(found: Tensor, truth: Bools) -> float:
    there = truth.any((1, 2))
    if not there.any():
        return math.nan
    masks = found.numpy()[there]
    common, either = (masks & truth[there]).sum((1, 2)), (masks | truth[there]).sum((1, 2))
    return float((common / np.maximum(either, 1)).mean())
