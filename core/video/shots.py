"""Where one shot ends and the next begins: cuts in a stream of frames, found by PySceneDetect."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from core.video.frames import RGB, Frame

CONTENT_THRESHOLD = (
    30.0  # mean difference of hue, saturation and brightness, of 255, from which a change may be a cut …
)
ADAPTIVE_THRESHOLD = 1.8  # … if it is so many times the mean difference of the two frames before and after
BEFORE = 3  # frames before a frame that decide with it whether it begins a shot …
_AFTER = 2  # … and frames after
_SIZE = (256, 144)  # width and height of what is compared: pictures of a folder may differ in size
_RATE = 30.0  # PySceneDetect counts in time codes; their rate plays no role here


def mark_cuts(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames, those that begin a new shot marked as such; the first frame never is.

    PySceneDetect's `AdaptiveDetector`: a cut changes the picture far more than the frames around it do, so that fast
    motion is none. A flash of one frame is none either: the frame after it shows what was shown before. Frames come
    two frames late; cuts within the first and the last two frames are not found, dissolves and fades neither.
    """
    from scenedetect import AdaptiveDetector, FrameTimecode

    detector = AdaptiveDetector(
        ADAPTIVE_THRESHOLD, min_scene_len=1, window_width=_AFTER, min_content_val=CONTENT_THRESHOLD
    )
    held: deque[Frame] = deque()
    pictures: deque[RGB] = deque(maxlen=1 + 2 * _AFTER)  # up to the present frame, the one decided upon in their middle
    for number, frame in enumerate(frames):
        held.append(frame)
        pictures.append(_small_bgr(frame.image))
        found = detector.process_frame(FrameTimecode(number, _RATE), pictures[-1])
        if len(held) > _AFTER:
            yield replace(held.popleft(), begins_shot=bool(found) and not _is_flash(pictures))
    yield from held


def _small_bgr(image: RGB) -> RGB:
    small = cv2.resize(image, _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)


def _is_flash(pictures: deque[RGB]) -> bool:
    """Whether a picture that changed lasts one frame only, or was before another that did."""
    two_before, before, present, after, _ = pictures
    return not (_differ(before, after) and _differ(two_before, present))


def _differ(first: RGB, second: RGB) -> bool:
    from scenedetect import ContentDetector, FrameTimecode

    detector = ContentDetector(CONTENT_THRESHOLD, min_scene_len=0)
    detector.process_frame(FrameTimecode(0, _RATE), first)
    return bool(detector.process_frame(FrameTimecode(1, _RATE), second))
