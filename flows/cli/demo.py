"""The demo: clips with exact truth, tracked from colour names, scored by J&F."""

from pathlib import Path

from rich.table import Table

from core.evaluation.clip_score import score_clip
from core.evaluation.clips import SCENES, clip_truth, render_clips
from core.formats.exchange.importing import write_results
from core.weights.catalogue import TINY_SAM2
from flows.cli.console import open_console
from flows.cli.flow_commands import run_flow
from flows.cli.paths import HomePath
from flows.options import Models
from flows.track_videos.flow import track_videos
from flows.track_videos.plan import check
from tasks.store import check_writable

PROMPT = "red object. green object. blue object"


def demo(*, output: HomePath = Path("demo"), sam2: bool = False) -> int:
    """Render clips with exact truth, track them by colour names, and score the result.

    Args:
        output: folder for clips, results, annotated videos and recordings.
        sam2: Follow the objects with a tiny SAM 2 that comes along, trained on rendered clips alone.
    """
    check_writable("output", output)
    console = open_console()
    with console.status("Rendering clips …"):
        clips = render_clips(output / "clips")
    write_results([clip_truth(clip, scene) for clip, scene in zip(clips, SCENES, strict=True)], output / "truth.jsonl")
    video_list = output / "videos.txt"
    video_list.write_text("".join(f"{clip}\n" for clip in clips), encoding="utf-8")
    results = output / "results.jsonl"
    code = run_flow(
        track_videos,
        check,
        {
            "video_list": video_list,
            "output_jsonl": results,
            "text_prompt": PROMPT,
            "output_video_dir": output / "tracked",
            "recording": output / "recordings",
            "masks": True,
            "models": Models(
                detector="classical",
                segmenter="sam2" if sam2 else "classical",
                model_path=TINY_SAM2 if sam2 else None,
            ),
        },
    )
    if code != 0:
        return code
    table = Table("clip", "objects", "J", "F", "J&F", "ids kept", title="Against the exact truth", title_justify="left")
    for clip in clips:
        score = score_clip(results, clip)
        figures = (f"{score.jf.j:.3f}", f"{score.jf.f:.3f}", f"{score.jf.jf:.3f}", f"{score.ids_kept}/{score.objects}")
        table.add_row(clip.stem, str(score.objects), *figures)
    console.print(table)
    console.print(f"Look at: {output}/results_report.html, {output}/tracked/*.mp4, and")
    console.print(f"{output}/recordings/*.rrd with `rerun FILE`. Judge them in full:")
    console.print(f"maskflow evaluate {results} --truth {output}/truth.jsonl", soft_wrap=True)
    console.print(f"Correct them in the browser: maskflow label --results {results}", soft_wrap=True)
    return 0
