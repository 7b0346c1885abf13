"""A page's server in this process, and what tests of it share."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from core.models.spec import ModelSpec
from flows.label.app import label_app
from flows.label.guard import Guard
from flows.label.session import Places, Session

TOKEN = "a-token"
HOST = "http://127.0.0.1:8008"
CLASSICAL = ModelSpec(backend="classical", version="1")


@contextmanager
def page(*videos: Path, folder: Path, results: str = "results.jsonl") -> Iterator[TestClient]:
    """Whoever has the page open."""
    places = Places(folder / results, folder / "prompts.json", folder / "corrections.json")
    session = Session([str(video) for video in videos], places, CLASSICAL)
    guarded = Guard(label_app(session), TOKEN, frozenset({"127.0.0.1"}), None)
    with TestClient(guarded, base_url=HOST) as client:
        assert client.get(f"/?token={TOKEN}").status_code == 200
        yield client
    session.close()


def document(client: TestClient, number: int = 0) -> dict[str, Any]:
    """What was said of a video."""
    found: dict[str, Any] = client.get(f"/api/videos/{number}/document").json()
    return found


def edit(client: TestClient, number: int = 0, **one: Any) -> dict[str, Any]:
    """Make an edit on the present revision; the document after it."""
    body = {"edit": one, "revision": document(client, number)["revision"]}
    answer = client.post(f"/api/videos/{number}/edits", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def show(client: TestClient, number: int = 0, **prompt: Any) -> dict[str, Any]:
    """Draw something."""
    return edit(client, number, op="show", prompt=prompt)


def write_results(path: Path, video: Path, frames: int = 20) -> None:
    """Results of a red square, as object 1, and of something that is called 2 up to frame 9 and 4 from there."""
    from core.masks import rle

    def seen(obj_id: int, x: int, y: int, label: str, score: float) -> dict[str, Any]:
        mask = rle.from_runs([64, 96], [x * 64 + y, 10, 54, 10, (96 - x - 2) * 64 + 64 - 10 - y])
        return {
            "obj_id": obj_id, "bbox": [x, y, 1, 9], "label": label, "score": score, "detection_score": None,
            "segmentation": mask,
        }  # fmt: skip

    lines = [
        {
            "frame_idx": n, "source_frame": n, "time_s": n / 10,
            "objects": [seen(1, 10 + n, 20, "red", 0.8), seen(2 if n < 10 else 4, 50, 5, "blue", 0.5)],
        }
        for n in range(frames)
    ]  # fmt: skip
    info = {"width": 96, "height": 64, "original_fps": 10.0, "process_fps": 10.0, "total_frames": frames}
    line = {"video_path": str(video), "text_prompt": "red. blue", "video_info": info, "frames": lines}
    path.write_text(json.dumps(line) + "\n")
