"""The flow's items on photographs of a known scene, one after another."""

from pathlib import Path
from typing import Any

from core.reconstruction.camera_item import calibrate
from core.reconstruction.features_item import extract_features
from core.reconstruction.pairs_item import match_pairs
from core.reconstruction.window_item import solve_window
from core.reconstruction.windowing import sequential_pairs


def quiet(done: int, expected: int | None) -> None:
    """Progress that nobody looks at."""


class Solving:
    """Features, matches and camera of some images; windows on demand."""

    def __init__(self, images: list[Path], folder: Path, window: int = 8) -> None:
        self.folder = folder
        (folder / "features").mkdir(parents=True)
        (folder / "pairs").mkdir()
        request = {"frames": [{"image": str(path)} for path in images], "settings": {}}
        reported = extract_features(request, folder / "features", quiet)["frames"]
        self.frames: list[dict[str, Any]] = [
            {
                "number": n,
                "name": images[n].name,
                "features": None if one["failed"] else str(folder / "features" / f"{n}.npz"),
                "width": one["width"],
                "height": one["height"],
                "reason": one["failed"],
            }
            for n, one in enumerate(reported)
        ]
        usable = [frame for frame in self.frames if frame["features"] is not None]
        place = {frame["number"]: n for n, frame in enumerate(usable)}
        pairs = [p for p in sequential_pairs(len(images), 2, window) if place.keys() >= set(p)]
        files = [{name: frame[name] for name in ("features", "width", "height")} for frame in usable]
        match_pairs({"frames": files, "pairs": [[place[a], place[b]] for a, b in pairs]}, folder / "pairs", quiet)
        self.matches = [{"path": str(folder / "pairs/pairs.npz"), "frames": list(place)}]
        self.calibrated = calibrate({"frames": usable, "matches": self.matches}, folder, quiet)
        self.camera = {"model": "SIMPLE_PINHOLE", "shared": True, "focal": self.calibrated["focal"]}

    def solve(self, number: int, window: range, **settings: Any) -> tuple[dict[str, Any], Path]:
        """A window's record and folder."""
        folder = self.folder / f"window{number}"
        folder.mkdir(exist_ok=True)
        frames = [self.frames[n] for n in window]
        request = {"window": number, "frames": frames, "matches": self.matches, "camera": self.camera}
        return solve_window({**request, "settings": settings}, folder, quiet), folder
