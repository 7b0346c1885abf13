"""A small clip with exact truth for the examples: rendered once, into `example_out/`."""

from pathlib import Path

from core.evaluation.clips import SCENES, clip_truth, render_clip
from core.formats.exchange.importing import write_results

OUT = Path("example_out")


def clip() -> Path:
    """A red, a blue and a green object that cross each other, three seconds."""
    path = OUT / "crossing.mp4"
    if not path.is_file():
        OUT.mkdir(exist_ok=True)
        render_clip(SCENES[0], path)
        write_results([clip_truth(path, SCENES[0])], OUT / "truth.jsonl")
    return path
