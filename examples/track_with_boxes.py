"""Track what a box points at: `python examples/track_with_boxes.py`."""

import json

from example_clip import OUT, clip

import maskflow

video = clip()
prompts = OUT / "boxes.json"
prompts.write_text(json.dumps({video.name: [{"frame": 0, "obj_id": 1, "label": "ball", "box": [26, 64, 94, 116]}]}))
run = maskflow.track_videos(video, prompts=prompts, output_jsonl=OUT / "boxes/results.jsonl", masks=True)
print(run.sentence)
for row in run.rows:
    print(row.name, row.status, dict(zip(run.columns, row.figures, strict=False)))
