"""What SAM 2 is trained with (Ravi et al. 2024, D.2.2): focal and dice loss of masks, L1 of predicted IoU, presence."""

import torch
from torch import Tensor
from torch.nn import functional

_FOCAL_WEIGHT = 20.0
_FOCAL_ALPHA, _FOCAL_GAMMA = 0.25, 2.0


def step_loss(masks: Tensor, ious: Tensor, presence: Tensor, truth: Tensor, balanced: float) -> Tensor:
    """Loss of one pass of the decoder, a scalar.

    Only the best of several candidate masks is taught its shape; all are taught their IoU. Objects that are not
    in the picture teach presence alone.

    Args:
        masks: candidate logits [B, M, S, S].
        ious: predicted IoU [B, M].
        presence: logits [B, 1].
        truth: masks [B, S, S] of zeros and ones; empty where the object is not in the picture.
        balanced: 1: object and background count alike however small the object, without which a model that knows
            nothing yet learns that there is nothing; 0: focal loss.
    """
    there = (truth.flatten(1).sum(1) > 0).float()
    target = truth[:, None].expand_as(masks)
    crossed = functional.binary_cross_entropy_with_logits(masks, target, reduction="none")
    shape = _dice(masks, target) + (1 - balanced) * _FOCAL_WEIGHT * _focal(crossed, target)
    if balanced > 0:
        shape = shape + balanced * _balanced(crossed, target)
    with torch.no_grad():
        true_ious = _iou(masks > 0, target > 0)
    guess = (ious - true_ious).abs().mean(1)
    count = there.sum().clamp(min=1)
    per_object = ((shape.amin(1) + guess) * there).sum() / count
    return per_object + functional.binary_cross_entropy_with_logits(presence[:, 0], there)


def _focal(crossed: Tensor, target: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017) of each mask, [B, M], from its pixels' cross entropy."""
    right = torch.exp(-crossed)
    weight = target * _FOCAL_ALPHA + (1 - target) * (1 - _FOCAL_ALPHA)
    return (weight * crossed * (1 - right) ** _FOCAL_GAMMA).flatten(2).mean(2)


def _balanced(crossed: Tensor, target: Tensor) -> Tensor:
    """Mean of the cross entropy on the object and that on the background, [B, M]."""
    inside, outside = target.flatten(2), 1 - target.flatten(2)
    pixels = crossed.flatten(2)
    on_object = (pixels * inside).sum(2) / inside.sum(2).clamp(min=1)
    return (on_object + (pixels * outside).sum(2) / outside.sum(2).clamp(min=1)) / 2


def _dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 - dice of each mask, [B, M]."""
    soft = logits.sigmoid().flatten(2)
    wanted = target.flatten(2)
    return 1 - (2 * (soft * wanted).sum(2) + 1) / (soft.sum(2) + wanted.sum(2) + 1)


def _iou(found: Tensor, truth: Tensor) -> Tensor:
    common = (found & truth).flatten(2).sum(2).float()
    return common / (found | truth).flatten(2).sum(2).float().clamp(min=1)
