"""Results for an annotation tool: `python examples/export_to_cvat.py`."""

from example_clip import OUT, clip

import maskflow

maskflow.track_videos(clip(), text_prompt="red object", output_jsonl=OUT / "cvat/results.jsonl", masks=True)
made = maskflow.export(OUT / "cvat/results.jsonl", to="cvat", output=OUT / "cvat/for_cvat")
print(f"{made.videos} video, {made.tracks} track, {made.objects} objects as {made.shape}: {OUT}/cvat/for_cvat")
