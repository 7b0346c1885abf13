"""The flows as functions: parameters as on the command line, results as a summary."""

import importlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from prefect.context import FlowRunContext, refresh_global_settings_context

from core.errors import MaskflowError
from flows.checking import checked, plan_of
from flows.cli.flags import flags_of
from tasks.reporting.summary import Summary, summary_of
from tasks.server.temporary import ensure_server

AnyPath = str | PathLike[str]


def track_videos(
    videos: AnyPath | Sequence[AnyPath],
    *,
    output_jsonl: AnyPath,
    text_prompt: str | None = None,
    prompts: AnyPath | None = None,
    **options: Any,
) -> Summary:
    """Track what a text names, or what boxes point at, through videos.

    Args:
        videos: a video, a folder or a pattern, or several.
        output_jsonl: results file to write.
        text_prompt: what to track, as in `"person"`.
        prompts: JSON file with boxes or points for each video, instead of a text.
        options: any other parameter of `maskflow track-videos --help`, as `fps=5` or `output_video_dir="drawn"`.

    Returns:
        What became of each video, and where the outputs are; `failed` counts videos that are not among them.

    Raises:
        RefusedInput: a parameter cannot be used; nothing was started.
        MaskflowError: the run was cancelled, or could not go on.
    """
    named = [videos] if isinstance(videos, str | PathLike) else list(videos)
    given = {"videos": [str(one) for one in named], "output_jsonl": output_jsonl, "text_prompt": text_prompt}
    return _run("track_videos", {**given, "prompts": prompts, **options})


def annotate_long_video(video_path: AnyPath, *, output_dir: AnyPath, **options: Any) -> Summary:
    """Turn sparse annotations of long videos, or a text, into dense annotations, in bounded memory.

    Args:
        video_path: a video, or a folder of videos.
        output_dir: folder for the results.
        options: any other parameter of `maskflow annotate-long-video --help`, as `text_prompt="cup"`.

    Returns, raises: as `track_videos`.
    """
    return _run("annotate_long_video", {"video_path": video_path, "output_dir": output_dir, **options})


def refine_masks(data_root: AnyPath, **options: Any) -> Summary:
    """Refine the instance-id maps of many scenes with masks.

    Args:
        data_root: folder of the scenes, each with `images/` and `obj_ids/`.
        options: any other parameter of `maskflow refine-masks --help`, as `ground_truth="truth"`.

    Returns, raises: as `track_videos`.
    """
    return _run("refine_masks", {"data_root": data_root, **options})


def reconstruct_windows(input_dir: AnyPath, *, output_dir: AnyPath, **options: Any) -> Summary:
    """Reconstruct sliding windows of frames as COLMAP models, and merge them into one.

    Args:
        input_dir: folder of frames, or a video.
        output_dir: folder for the results.
        options: any other parameter of `maskflow reconstruct-windows --help`, as `window_size=16`.

    Returns, raises: as `track_videos`.
    """
    return _run("reconstruct_windows", {"input_dir": input_dir, "output_dir": output_dir, **options})


def track_mask_points(npz: AnyPath, *, output_dir: AnyPath, **options: Any) -> Summary:
    """Track every point of instance masks in 3D through an RGB-D clip, in batches.

    Args:
        npz: the clip, as `maskflow rgbd-to-clip` makes it.
        output_dir: folder for the results.
        options: any other parameter of `maskflow track-mask-points --help`, as `mask_key="masks"`.

    Returns, raises: as `track_videos`.
    """
    return _run("track_mask_points", {"npz": npz, "output_dir": output_dir, **options})


def _run(name: str, options: dict[str, Any]) -> Summary:
    """Run a flow on the server that is configured, else a temporary one; inside a flow on that flow's own."""
    module, plan = (importlib.import_module(f"flows.{name}.{part}") for part in ("flow", "plan"))
    flow = getattr(module, name)
    given = {key: Path(value) if isinstance(value, PathLike) else value for key, value in options.items()}
    parameters = flags_of(flow.fn).validated(given)
    made = plan_of(flow, plan.check, parameters)
    if FlowRunContext.get() is None:
        ensure_server()
        refresh_global_settings_context()
    with checked(plan.check, made):
        state = flow(**parameters, return_state=True)
    summary = summary_of(state.state_details.flow_run_id)
    if summary is None or not (state.is_completed() or state.name == "Partial"):
        reason = state.result(raise_on_failure=False) if state.is_failed() else state.message
        raise reason if isinstance(reason, MaskflowError) else MaskflowError(f"{state.name}: {reason}")
    return summary
