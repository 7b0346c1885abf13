"""Where one shot ends and the next begins: cuts in a stream of frames, found by PySceneDetect."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from core.video.frames import RGB, Frame

# From when on a change may be a cut: the mean difference of hue, saturation and brightness (of 255), and how many
# times the mean change around it that is. Where the camera is still, small changes tell; where it moves, large ones.
THRESHOLDS = ((10.0, 5.0), (15.0, 3.0), (30.0, 1.8))
_FAR_APART_S = 0.5  # between frames from which on only large changes tell: people walk into the picture in that time
BEFORE = 3  # frames before a frame that decide with it whether it begins a shot …
_AFTER = 2  # … and frames after
_SIZE = (256, 144)  # width and height of what is compared: pictures of a folder may differ in size
_RATE = 30.0  # PySceneDetect counts in time codes; their rate plays no role here


def mark_cuts(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames, those that begin a new shot marked as such; the first frame never is.

    PySceneDetect's `AdaptiveDetector`, at several thresholds: a cut changes the picture far more than the frames around
    it do, so that fast motion is none. A flash of one frame is none either: after it comes what was shown before.
    Frames come two frames late. Cuts within the first and the last two frames are not found; dissolves and fades
    neither.
    """
    from scenedetect import AdaptiveDetector, FrameTimecode

    detectors = [
        AdaptiveDetector(ratio, min_scene_len=1, window_width=_AFTER, min_content_val=content)
        for content, ratio in THRESHOLDS
    ]
    held: deque[Frame] = deque()
    pictures: deque[RGB] = deque(maxlen=1 + 2 * _AFTER)  # the one decided upon in their middle
    last_s = 0.0
    for number, frame in enumerate(frames):
        held.append(frame)
        pictures.append(_small_bgr(frame.image))
        time = FrameTimecode(number, _RATE)
        changed = [bool(one.process_frame(time, pictures[-1])) for one in detectors]
        if len(held) > _AFTER:
            decided = held.popleft()
            near = decided.time_s - last_s < _FAR_APART_S
            last_s = decided.time_s
            is_cut = (any(changed) if near else changed[-1]) and not _is_flash(pictures)
            yield replace(decided, begins_shot=is_cut) if is_cut else decided
    yield from held


def _small_bgr(image: RGB) -> RGB:
    step = max(
        1, min(image.shape[0] // _SIZE[1], image.shape[1] // _SIZE[0]) // 2
    )  # of large ones every so many pixels
    small = cv2.resize(np.ascontiguousarray(image[::step, ::step]), _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)


def _is_flash(pictures: deque[RGB]) -> bool:
    """Whether the middle one of five pictures is a flash of one frame, or comes after one."""
    two_before, before, present, after, _ = pictures
    return not (_differ(before, after) and _differ(two_before, present))


def _differ(first: RGB, second: RGB) -> bool:
    from scenedetect import ContentDetector, FrameTimecode

    detector = ContentDetector(THRESHOLDS[0][0], min_scene_len=0)
    detector.process_frame(FrameTimecode(0, _RATE), first)
    return bool(detector.process_frame(FrameTimecode(1, _RATE), second))
