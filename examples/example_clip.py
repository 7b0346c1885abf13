"""A small clip with exact truth for the examples: rendered once, into `example_out/`."""

from dataclasses import replace
from pathlib import Path

from core.evaluation.clips import SCENES, clip_truth, render_clip
from core.formats.exchange.importing import write_results

OUT = Path("example_out")
_SCENE = replace(SCENES[0], frames=24)


def clip() -> Path:
    """A red, a blue and a green object, not a second long."""
    path = OUT / "crossing.mp4"
    if not path.is_file():
        OUT.mkdir(exist_ok=True)
        render_clip(_SCENE, path)
        write_results([clip_truth(path, _SCENE)], OUT / "truth.jsonl")
    return path
