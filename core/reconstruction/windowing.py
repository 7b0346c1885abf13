"""Sliding windows over a sequence of frames, and which frames are matched with which."""

from typing import Literal

Tail = Literal["shift", "keep", "drop"]
Pair = tuple[int, int]


def sliding_windows(frames: int, size: int, stride: int, tail: Tail = "shift") -> list[range]:
    """Windows over frames 0 to `frames - 1`, in order; the position in the list is the window's number.

    Args:
        frames: how many there are; fewer than `size` make one window.
        size: frames of a window.
        stride: frames from one start to the next, not more than `size`.
        tail: what happens to frames after the last full window. `shift`: the last window moves back until it is full,
            so every frame is covered and no window lies inside another. `keep`: a shorter window for the rest where it
            has at least half the size, even inside the one before (as documented). `drop`: full windows only.
    """
    if size < 1 or not 1 <= stride <= size:
        raise ValueError(f"windows of {size} frames every {stride}: the stride is 1 to the size")
    if frames < size:
        return [range(frames)] if frames else []
    starts = range(0, frames - size + 1, stride)
    windows = [range(start, start + size) for start in starts]
    rest = starts[-1] + stride
    if tail == "shift" and windows[-1].stop < frames:
        windows.append(range(frames - size, frames))
    if tail == "keep" and frames - rest > 0 and frames - rest >= size // 2:
        windows.append(range(rest, frames))
    return windows


def sequential_pairs(frames: int, overlap: int, window: int) -> list[Pair]:
    """Each frame with the `overlap` next ones, and with those at larger powers of two within a window."""
    steps = [step for step in range(1, window) if step <= overlap or step & (step - 1) == 0]
    return [(frame, frame + step) for frame in range(frames) for step in steps if frame + step < frames]
