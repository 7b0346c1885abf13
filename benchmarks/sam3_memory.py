"""SAM 3 in bounded memory, beside the library's own session: `python -m benchmarks.sam3_memory`.

A SAM 3 of a few layers with random weights, on the CPU. Bytes are those of all tensors that a session keeps alive.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check.library_checks import random_sam3
from benchmarks.gpu_check.report import Setting
from benchmarks.sam2_common import box, frames, tensor_bytes
from core.models.sam3.detector import sam3_detector
from core.models.sam3.segmenter import sam3_segmenter
from core.models.sam3.shared import Sam3

_SIDE = 128
_LENGTHS = (60, 120, 240, 480)
_KIB = 1024


def main() -> None:
    """Print equality, tensors held over frames and over ids, and encoder calls a frame."""
    torch.set_num_threads(1)
    sam3 = random_sam3(Setting(on_gpu=False, folder=Path(tempfile.gettempdir())))
    images = list(frames(48, _SIDE))
    theirs, ours = _library(sam3, images), _ours(sam3, images)
    print("| frames | masks that differ | held by ours, KiB | by the library's session, KiB | encoder calls a frame |")
    print("|---|---|---|---|---|")
    different = 0
    for number in range(1, max(_LENGTHS) + 1):
        (their_mask, their_bytes), (our_mask, our_bytes, calls) = next(theirs), next(ours)
        different += int(not np.array_equal(their_mask, our_mask))
        if number in _LENGTHS:
            row = (different, f"{our_bytes / _KIB:.0f}", f"{their_bytes / _KIB:.0f}", f"{calls / number:.2f}")
            print(f"| {number} | {' | '.join(map(str, row))} |", flush=True)
    _come_and_go(sam3, images)


def _ours(sam3: Sam3, images: list[Any]) -> Iterator[tuple[Any, int, int]]:
    """Mask of the one object, bytes held, and frames encoded so far; words are looked for on every frame."""
    session, finder = sam3_segmenter(sam3, "memory", 1).start(), sam3_detector(sam3, 0.5).start("dog")
    before = sam3.encoded_frames
    for index in range(max(_LENGTHS)):
        image = images[index % len(images)]
        masks = session.advance(image)
        finder.detect(image)
        if index == 0:
            masks = {1: session.add(1, box(0, _SIDE))}
        yield masks[1].mask, session.stored_bytes(), sam3.encoded_frames - before


def _library(sam3: Sam3, images: list[Any]) -> Iterator[tuple[Any, int]]:
    """The same by the library's tracker session, which forgets nothing."""
    session = sam3.tracker_processor.init_video_session()
    for index in range(max(_LENGTHS)):
        image = images[index % len(images)]
        with torch.inference_mode():
            pixels = sam3.processor(images=image, return_tensors="pt", input_data_format="channels_last")[
                "pixel_values"
            ]
            seen = sam3.model.detector_model.get_vision_features(pixel_values=pixels)
            features, positions = sam3.model.get_vision_features_for_tracker(seen)
            session.cache.cache_vision_features(index, {"vision_feats": features, "vision_pos_embeds": positions})
            if index == 0:
                sam3.tracker_processor.add_inputs_to_inference_session(
                    session, 0, 1, original_size=(_SIDE, _SIDE), input_boxes=[[list(box(0, _SIDE).box or ())]]
                )
            out = sam3.model.tracker_model(inference_session=session, frame=pixels, frame_idx=index)
            masks = sam3.tracker_processor.post_process_masks([out.pred_masks], [(_SIDE, _SIDE)])[0]
        held = tensor_bytes([session.output_dict_per_obj, session.processed_frames])
        yield masks.reshape(_SIDE, _SIDE).numpy(), held


def _come_and_go(sam3: Sam3, images: list[Any]) -> None:
    """Fifty objects, each tracked for three frames."""
    session = sam3_segmenter(sam3, "memory", 1).start()
    held = []
    for index in range(60):
        session.advance(images[index % len(images)])
        if index < 50:
            session.add(index, box(index % 8, _SIDE))
        for obj_id in [one for one in session.objects if one <= index - 2]:
            session.drop(obj_id)
        held.append(session.stored_bytes())
    print(f"50 ids that come and go: at most {max(held) / _KIB:.0f} KiB with 2 at once, {held[-1]} bytes in the end")


if __name__ == "__main__":
    main()
