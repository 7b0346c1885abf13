"""As part of a Prefect flow of your own: `python examples/inside_a_flow.py`."""

from example_clip import OUT, clip
from prefect import flow, task

import maskflow


@task
def longest_seen(results: str) -> str:
    """Which object is seen on most frames."""
    (video,) = maskflow.read_results(results)
    counts: dict[str, int] = {}
    for frame in video.read():
        for one in frame.objects:
            counts[f"{one.obj_id} {one.label}"] = counts.get(f"{one.obj_id} {one.label}", 0) + 1
    return max(counts, key=lambda name: counts[name])


@flow
def count_objects() -> str:
    """Track, then count."""
    results = OUT / "flow/results.jsonl"
    maskflow.track_videos(clip(), text_prompt="red object. blue object", output_jsonl=results)
    return longest_seen(str(results))


if __name__ == "__main__":
    print(maskflow.ensure_server())  # the configured one, else one that lasts as long as this process
    print(count_objects())
