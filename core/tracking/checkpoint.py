"""An interrupted tracking goes on in mid-video: what it has found and where it stands, saved now and then.

In a folder that outlives the process: `frames.jsonl` grows, and each checkpoint is a folder of its own that says how
much of it counts. What a restored tracking writes is, byte for byte, what an uninterrupted one would have written.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from core.formats.tracks import FRAMES_FILE
from core.store.atomic import atomic_folder, sweep_temporaries
from core.tracking.counting import Counts
from core.tracking.loop import LoopState
from core.tracking.tracker import Tracker
from core.tracking.tracker_state import save_tracker

EVERY_S = 30.0
_STATE_FILE = "state.json"


class Checkpoint(BaseModel):
    """Where a tracking stands: `size` bytes of `frames.jsonl`, the loop, what was counted; the tracker lies beside."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: int
    loop: LoopState
    counts: Counts


class Checkpoints:
    """The checkpoints of one item.

    Args:
        folder: where they are; made when it is missing.
        every_s: seconds of work between them. Seconds of work, not of video: that is what is lost by a kill, and it
            bounds what they cost whatever the model.
    """

    def __init__(self, folder: Path, every_s: float = EVERY_S) -> None:
        self._folder = folder
        self._every_s = every_s
        self._next_s = time.monotonic() + every_s
        folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(folder)

    @property
    def frames_file(self) -> Path:
        """The records so far."""
        return self._folder / FRAMES_FILE

    def latest(self) -> tuple[Checkpoint, Path] | None:
        """The last checkpoint that is whole, and the folder of its tracker; None: the tracking begins anew."""
        for folder in reversed(self._all()):
            try:
                found = Checkpoint.model_validate_json((folder / _STATE_FILE).read_bytes())
                if self.frames_file.stat().st_size >= found.size:
                    return found, folder
            except (OSError, ValidationError):
                continue
        return None

    def start_anew(self) -> None:
        """Forget everything: it cannot be used."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def open(self, found: Checkpoint | None) -> IO[str]:
        """The records' file, cut to what counts, to write on."""
        stream = self.frames_file.open("a", encoding="utf-8")
        stream.truncate(0 if found is None else found.size)
        return stream

    def save_if_due(
        self, stream: IO[str], tracker: Tracker, loop: Callable[[], LoopState], counts: Callable[[], Counts]
    ) -> None:
        """Save where the tracking stands, if there is enough since the last time."""
        if time.monotonic() < self._next_s:
            return
        stream.flush()
        os.fsync(stream.fileno())
        state = Checkpoint(size=self.frames_file.stat().st_size, loop=loop(), counts=counts())
        earlier = self._all()
        with atomic_folder(self._folder / f"{state.loop.next_idx:09}") as folder:
            save_tracker(tracker, folder)
            (folder / _STATE_FILE).write_text(state.model_dump_json(), encoding="utf-8")
        for one in earlier:
            if one.name != f"{state.loop.next_idx:09}":
                shutil.rmtree(one, ignore_errors=True)
        self._next_s = time.monotonic() + self._every_s

    def _all(self) -> list[Path]:
        return sorted(one for one in self._folder.iterdir() if one.name.isdigit())
