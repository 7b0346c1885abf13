"""SAM 3's tracker as a `VideoSegmenter`: the same memory as SAM 2's, on the transformers classes.

Births, confirmation, loss and re-identification are decided in `core/tracking/tracker.py`, for all models alike. They
stand in for these rules of the library's session: `new_det_thresh` and `assoc_iou_thresh` (a detection that no track
covers starts one), `hotstart_*` (an object must be seen again to count), `*_keep_alive` (tracks that nothing confirms
end), `suppress_overlapping_based_on_recent_occlusion_threshold`, and `recondition_every_nth_frame` (a mask that
drifted is set right by its detection).
"""

from core.models.library_session import LibraryModel, LibrarySegmenter
from core.models.sam3.batch import Sam3Together
from core.models.sam3.shared import Sam3, load_sam3
from core.models.spec import ModelSpec

_BATCH_ON_GPU = 16


def load_sam3_segmenter(spec: ModelSpec) -> LibrarySegmenter:
    """The segmenter from a folder as `maskflow weights get sam3` makes it. Raises as `load_model`."""
    sam3 = load_sam3(spec)
    return sam3_segmenter(sam3, spec.name, _BATCH_ON_GPU if sam3.model.device.type == "cuda" else 1)


def sam3_segmenter(sam3: Sam3, name: str, batch: int) -> LibrarySegmenter:
    """The tracker of a loaded SAM 3.

    Args:
        sam3: shared with the detector, so that each frame is encoded once.
        name: see `LibraryModel`.
        batch: most objects in one pass. On the CPU one by one, which is as fast there and equal to the library to the
            last bit.
    """
    tracker = sam3.model.tracker_model
    return LibrarySegmenter(
        LibraryModel(
            tracker,
            sam3.tracker_processor,
            name,
            prepare=lambda image: sam3.look(image).pixels,
            encode=lambda image: sam3.look(image).for_tracker,
            together=None if batch == 1 else Sam3Together(tracker),
            batch=batch,
        )
    )
