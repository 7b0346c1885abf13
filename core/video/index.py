"""Where each frame of a video is, so that any of them can be reached without decoding all before it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import UnsafeFile
from core.store.safe_load import load_npz

INDEX_FILE = "index.npz"


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """A video's N frames in presentation order.

    Attributes:
        times_s: when each is shown, float64 [N], from the start of the stream.
        pts: the container's time stamp of each, int64 [N]; empty where it does not tell them apart: such a video can
            only be read from its start.
        keys: bool [N]: decoding can begin there.
    """

    times_s: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.times_s) == len(self.keys) or len(self.pts) not in (0, len(self.keys)):
            raise ValueError(f"{len(self.times_s)} times, {len(self.pts)} stamps, {len(self.keys)} key flags")
        if len(self) and not self.keys[0]:
            raise ValueError("decoding has to begin at the first frame")

    @classmethod
    def of_stamps(cls, pts: npt.NDArray[np.int64], keys: npt.NDArray[np.bool_], time_base_s: float) -> "FrameIndex":
        """Of ascending stamps: times count from the first frame."""
        return cls((pts - pts[0]) * time_base_s, pts, keys)

    def from_frame(self, first: int) -> "FrameIndex":
        """Without the frames before `first`, which becomes frame 0 at 0 s."""
        return FrameIndex(self.times_s[first:] - self.times_s[first], self.pts[first:], self.keys[first:])

    @property
    def duration_s(self) -> float:
        """Time of the last frame."""
        return float(self.times_s[-1]) if len(self) else 0.0

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def mean_step_s(self) -> float:
        """Mean time from one frame to the next; 0 where there is only one."""
        return float(self.times_s[-1] - self.times_s[0]) / max(1, len(self) - 1)

    @property
    def fps(self) -> float:
        """Mean number of frames a second; 1 where there is only one frame."""
        return 1 / self.mean_step_s if self.mean_step_s > 0 else 1.0

    def key_before(self, frame: int) -> int:
        """The key frame from which `frame` is decoded."""
        place = int(np.searchsorted(self._key_frames, frame, side="right")) - 1
        return int(self._key_frames[max(0, place)])

    @cached_property
    def _key_frames(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.keys)

    def save(self, folder: Path) -> None:
        """Write `index.npz` into `folder`."""
        arrays: dict[str, Any] = {"times_s": self.times_s, "pts": self.pts, "keys": self.keys}
        np.savez(folder / INDEX_FILE, **arrays)


def load_index(folder: Path) -> FrameIndex:
    """Read what `FrameIndex.save` wrote. Raises `UnsafeFile` where it is not such a file."""
    arrays = load_npz(folder / INDEX_FILE)
    try:
        return FrameIndex(arrays["times_s"], arrays["pts"], arrays["keys"])
    except (KeyError, ValueError) as error:
        raise UnsafeFile(f"{folder / INDEX_FILE}: not an index of frames ({error})") from None
