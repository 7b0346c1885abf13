"""`.maskflow/tracked.jsonl`: the videos that a run has tracked so far, for whoever watches it: a line each, with the
folder of its tracks (`core.formats.tracks`)."""

import json
from pathlib import Path

_FILE = "tracked.jsonl"


def begin(state: Path) -> None:
    """Forget what an earlier run noted."""
    state.mkdir(parents=True, exist_ok=True)
    (state / _FILE).write_text("")


def note_tracked(state: Path, video: str, tracks: Path) -> None:
    """One more video is tracked."""
    line = json.dumps({"video": video, "tracks": str(tracks)})
    with (state / _FILE).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def tracked_so_far(state: Path) -> dict[str, Path]:
    """The folders of tracks, by video; a line that is being written does not count yet."""
    try:
        lines = (state / _FILE).read_text(encoding="utf-8").split("\n")[:-1]
    except OSError:
        return {}
    found = map(json.loads, lines)
    return {one["video"]: Path(one["tracks"]) for one in found}
