"""Maskflow from Python: the flows, and what is done with their results.

    import maskflow

    run = maskflow.track_videos(["walks/*.mp4"], text_prompt="person", output_jsonl="out/results.jsonl")
    for video in maskflow.read_results("out/results.jsonl"):
        for frame in video.read():
            print(video.name, frame.time_s, [one.label for one in frame.objects])

Works in a script, in a notebook, where an event loop runs, and inside a Prefect flow of your own, where each call is a
subflow: call `ensure_server()` before it, so that both are on one server that can take the load.
"""

from core.errors import BadMedia, MaskflowError, RefusedInput, Unavailable, UnsafeFile
from core.evaluation.evaluate import Evaluation
from core.formats.exchange.exporting import Exported
from core.formats.exchange.model import SeenFrame, SeenObject, VideoResults
from maskflow.results import evaluate, export, read_results
from maskflow.running import (
    annotate_long_video,
    reconstruct_windows,
    refine_masks,
    track_mask_points,
    track_videos,
)
from tasks.reporting.summary import Row, Summary
from tasks.server.temporary import ensure_server

__all__ = [
    "BadMedia",
    "Evaluation",
    "Exported",
    "MaskflowError",
    "RefusedInput",
    "Row",
    "SeenFrame",
    "SeenObject",
    "Summary",
    "Unavailable",
    "UnsafeFile",
    "VideoResults",
    "annotate_long_video",
    "ensure_server",
    "evaluate",
    "export",
    "read_results",
    "reconstruct_windows",
    "refine_masks",
    "track_mask_points",
    "track_videos",
]
