"""How good are results, where the truth is known? `python examples/evaluate_results.py`."""

from example_clip import OUT, clip

import maskflow

maskflow.track_videos(
    clip(), text_prompt="red object. blue object. green object", output_jsonl=OUT / "judged/results.jsonl", masks=True
)
judged = maskflow.evaluate(OUT / "judged/results.jsonl", truth=OUT / "truth.jsonl")
assert judged.j is not None
assert judged.f is not None
assert judged.identity is not None
print(f"J&F {(judged.j.mean + judged.f.mean) / 2:.3f}, IDF1 {judged.identity.idf1:.3f}")
