"""SAM 3 and Grounding DINO at full size with random weights: time, memory, encoder calls."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.gpu_check.report import Row, Setting, true_or_not
from benchmarks.sam2_common import box, frames
from benchmarks.small_sam3 import SIDE, hf, letters, video_config
from core.models.device import default_device
from core.models.grounding_dino.backend import FAMILY as DINO
from core.models.grounding_dino.detector import GroundingDino
from core.models.sam3.detector import sam3_detector
from core.models.sam3.segmenter import sam3_segmenter
from core.models.sam3.shared import Sam3

_OBJECTS = 8
_WARM = _OBJECTS // 2
_MIB = 2**20


def sam3(setting: Setting) -> Iterator[Row]:
    """Words to boxes, and eight objects tracked beside, on one encoding of each frame."""
    model = random_sam3(setting)
    for batch in (1, 16):
        session = sam3_segmenter(model, "check", batch).start()
        finder = sam3_detector(model, 0.5).start("person. car")
        images = list(frames(_WARM + setting.frames, setting.side))
        before = model.encoded_frames
        _measure_memory(setting)
        milliseconds, peak = 0.0, 0
        for index, image in enumerate(images):
            started_s = time.perf_counter()
            session.advance(image)
            finder.detect(image)
            if index < _WARM:  # two a frame, as objects come into a picture
                for obj_id in (2 * index, 2 * index + 1):
                    session.add(obj_id, box(obj_id, setting.side))
            if index >= _WARM:
                milliseconds += 1000 * (time.perf_counter() - started_s) / setting.frames
            peak = torch.cuda.max_memory_allocated() if setting.on_gpu else 0
        calls = (model.encoded_frames - before) / len(images)
        yield Row(
            f"{_OBJECTS} objects, 2 phrases, {batch} at once", f"{milliseconds:.1f} ms a frame, {peak / _MIB:.0f} MiB"
        )
        yield true_or_not("encoder calls a frame", calls == 1.0, f"{calls:.1f}")


def grounding_dino(setting: Setting) -> Iterator[Row]:
    """Words to boxes."""
    detector = _random_dino(setting)
    images = list(frames(2 + setting.frames, setting.side))
    session = detector.start("person. red car. dog")
    _measure_memory(setting)
    for image in images[:2]:
        session.detect(image)
    started_s = time.perf_counter()
    for image in images[2:]:
        session.detect(image)
    milliseconds = 1000 * (time.perf_counter() - started_s) / setting.frames
    peak = torch.cuda.max_memory_allocated() if setting.on_gpu else 0
    yield Row("three phrases", f"{milliseconds:.1f} ms a frame, {peak / _MIB:.0f} MiB")


def random_sam3(setting: Setting) -> Sam3:
    """SAM 3 with random weights: of the published size on a GPU, else of a few layers."""
    side = 1008 if setting.on_gpu else SIDE
    config = hf.Sam3VideoConfig() if setting.on_gpu else video_config()
    model = _random(lambda: hf.Sam3VideoModel(config))
    with torch.no_grad():  # sure that objects are there, or all masks were empty
        model.tracker_model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0)
    size = {"height": side, "width": side}
    images, videos = hf.Sam3ImageProcessor(size=size), hf.Sam2VideoVideoProcessor(size=size)
    return Sam3(model, hf.Sam3Processor(images, letters()), hf.Sam3TrackerVideoProcessor(images, videos))


def _random_dino(setting: Setting) -> GroundingDino:
    small = {
        "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "num_queries": 30, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    }  # fmt: skip
    config = hf.GroundingDinoConfig(**({} if setting.on_gpu else small))
    model = _random(lambda: hf.GroundingDinoForObjectDetection(config))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "person", "red", "car", "dog", "."]
    tokenizer = hf.BertTokenizerFast(vocab={word: index for index, word in enumerate(words)})
    size = (
        {"shortest_edge": 800, "longest_edge": 1333} if setting.on_gpu else {"shortest_edge": 96, "longest_edge": 128}
    )
    processor = hf.GroundingDinoProcessor(hf.GroundingDinoImageProcessor(size=size), tokenizer)
    return GroundingDino(model, processor, DINO.box_threshold, DINO.text_threshold)


def _measure_memory(setting: Setting) -> None:
    """The peak is counted from here."""
    if setting.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _random(build: Callable[[], Any]) -> Any:
    """A model with random weights, made on its device, in evaluation mode."""
    torch.manual_seed(0)
    with torch.device(default_device()):
        return build().eval()
