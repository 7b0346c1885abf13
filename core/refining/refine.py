"""One image's id map, refined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from core.formats.id_maps import IdMap
from core.masks import Mask
from core.masks.contingency import Labels, contingency, label
from core.masks.region import Region
from core.refining.compose import compose
from core.refining.documented import match_documented
from core.refining.matching import Match, match_optimal
from core.video.frames import RGB

MatchingName = Literal["optimal", "documented"]
_MATCHERS = {"optimal": match_optimal, "documented": match_documented}


class Settings(BaseModel):
    """How maps are refined.

    Attributes:
        matching: how masks find their ids.
        iou_threshold: least IoU of masks with an id that counts as a match.
        max_spread: pixels that an id may grow beyond its own.
        min_evidence: nats a pixel by which colours must speak for a change.
        background: ids that are no objects; None: all from 0 down.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    matching: MatchingName = "optimal"
    iou_threshold: float = Field(default=0.3, gt=0, le=1)
    max_spread: int = Field(default=10, ge=0, le=200)
    min_evidence: float = Field(default=3.0, ge=-5, le=5)
    background: tuple[int, ...] | None = None


@dataclass(frozen=True, eq=False)
class Refined:
    """A refined map beside its original.

    Attributes:
        id_map: int64 [H, W].
        labels: the original's ids.
        number: intp [H, W], the refined map as positions in `labels.ids`.
        matches: for each id, in their order.
        covered: bool [H, W], under a matched mask.
        accepted_ratio: share of the changes proposed by masks that were carried out; None: none was proposed.
    """

    id_map: IdMap
    labels: Labels
    number: npt.NDArray[np.intp]
    matches: list[Match]
    covered: Mask
    accepted_ratio: float | None


def refine_map(image: RGB, id_map: IdMap, masks: Sequence[Region], settings: Settings) -> Refined:
    """Match masks with the map's ids and compose the new map; background keeps its values.

    Args:
        image: RGB uint8 [H, W, 3].
        id_map: int64 [H, W], of the same size.
        masks: of everything in the image.
        settings: see there.
    """
    labels = label(id_map, settings.background)
    overlaps = contingency(masks, labels)
    matches = _MATCHERS[settings.matching](masks, labels, overlaps, settings.iou_threshold)
    composed = compose(image, masks, labels, overlaps, matches, settings.max_spread, settings.min_evidence)
    ours = composed.number < len(labels.ids)
    refined = id_map.copy()
    refined[ours] = labels.ids[composed.number[ours]]
    return Refined(refined, labels, composed.number, matches, composed.covered, composed.accepted_ratio)
