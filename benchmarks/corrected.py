"""What a correction costs: `python -m benchmarks.corrected [--minutes 10]`.

A correction at 80 % of a video whose first 78 % are accepted: the share of frames that is tracked again, and whether
the results of the accepted frames are the same bytes. Then the edits that cost no tracking.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import environment
from benchmarks.long_scene import prompted_scene


def _run(folder: Path, corrections: dict[str, Any] | None) -> tuple[list[dict[str, Any]], float, int]:
    """Frames of the results, seconds, and frames that were tracked again."""
    given = []
    if corrections is not None:
        (folder / "corrections.json").write_text(json.dumps({"version": 1, "videos": {"long": corrections}}))
        given = ["--corrections", str(folder / "corrections.json")]
    before = set(folder.glob("out/.maskflow/retrack/*/manifest.json"))
    started_s = time.monotonic()
    subprocess.run(
        [
            sys.executable, "-m", "flows.cli", "track-videos", str(folder / "long.mp4"), "--prompts",
            str(folder / "prompts.json"), "--output-jsonl", str(folder / "out" / "results.jsonl"), "--masks", *given,
        ],
        env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    took_s = time.monotonic() - started_s
    new = set(folder.glob("out/.maskflow/retrack/*/manifest.json")) - before
    frames = sum(json.loads(path.read_text())["record"]["frames"] for path in new)
    line = json.loads((folder / "out" / "results.jsonl").read_text())
    return line["frames"], took_s, frames


def main() -> None:
    """Run all and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        scene = prompted_scene(folder, "long", given.minutes)
        base, whole_s, _ = _run(folder, None)
        total = len(base)
        accepted, at = int(0.78 * total), int(0.8 * total)
        box = next(iter(scene.boxes(at).items()))
        number = 1 + [thing.assoc_id for thing in scene.things].index(box[0])
        shown = {"obj_id": number, "frame": at, "box": list(box[1])}
        first: dict[str, Any] = {"prompts": [shown], "accepted": [{"last": accepted}]}
        rows = [("first run", base, whole_s, total)]
        rows.append(("a box at 80 %, 78 % accepted", *_run(folder, first)))
        later = {
            **first,
            "prompts": [*first["prompts"], {**first["prompts"][0], "frame": int(0.9 * total), "round": 2}],
        }
        rows.append(("another at 90 %", *_run(folder, later)))
        rows.append(("renamed, merged, split", *_run(folder, {**later, "labels": {"1": "mug"}, "ids": [
            {"obj_id": 2, "is": 3}, {"obj_id": 1, "first": at, "is": 9}, {"obj_id": 9, "last": at - 1, "is": 1},
        ]})))  # fmt: skip
        rows.append(("the same again", *_run(folder, later)))
        print("| | frames tracked again | share | seconds | accepted frames the same |\n|---|---|---|---|---|")
        for name, frames, took_s, again in rows:
            same = json.dumps(frames[: accepted + 1]) == json.dumps(base[: accepted + 1])
            kept = "as they were" if same else "renamed" if "renamed" in name else "NO"
            print(f"| {name} | {again:,} | {again / total:.1%} | {took_s:.0f} | {kept} |")


if __name__ == "__main__":
    main()
