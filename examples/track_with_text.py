"""Track what a text names: `python examples/track_with_text.py`."""

from example_clip import OUT, clip

import maskflow

run = maskflow.track_videos(
    clip(),
    text_prompt="red object. blue object",
    output_jsonl=OUT / "text/results.jsonl",
    output_video_dir=OUT / "text",
)
print(run.sentence)
for video in maskflow.read_results(OUT / "text/results.jsonl"):
    first = next(iter(video.read()))
    print(f"{video.name}: on the first frame {[(one.obj_id, one.label) for one in first.objects]}")
