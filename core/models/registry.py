"""All backends, by role, in the order in which `auto` tries them. A new one is one line here and a folder beside."""

from core.models.classical import backend as classical
from core.models.colmap import COLMAP
from core.models.d_fine import backend as d_fine
from core.models.edgetam import backend as edgetam
from core.models.grounding_dino import backend as grounding_dino
from core.models.mm_grounding_dino import backend as mm_grounding_dino
from core.models.owlv2 import backend as owlv2
from core.models.points import backend as points
from core.models.role import Role
from core.models.roles import Detector, MaskGenerator, PointTracker, VideoSegmenter, WindowReconstructor
from core.models.sam2 import backend as sam2
from core.models.sam3 import backend as sam3
from core.models.sam3_lite_text import backend as sam3_lite_text
from core.models.vggt import backend as vggt

DETECTORS = Role[Detector](
    "detector",
    [
        grounding_dino.DETECTOR,
        mm_grounding_dino.DETECTOR,
        sam3.DETECTOR,
        sam3_lite_text.DETECTOR,
        owlv2.DETECTOR,
        d_fine.DETECTOR,
        classical.DETECTOR,
    ],
)
SEGMENTERS = Role[VideoSegmenter]("segmenter", [sam2.SEGMENTER, sam3.SEGMENTER, edgetam.SEGMENTER, classical.SEGMENTER])
GENERATORS = Role[MaskGenerator]("generator", [sam2.GENERATOR, classical.GENERATOR])
RECONSTRUCTORS = Role[WindowReconstructor]("reconstructor", [vggt.RECONSTRUCTOR, COLMAP], parameter="backend")
POINT_TRACKERS = Role[PointTracker]("tracker", points.TRACKERS)
