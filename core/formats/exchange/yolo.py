"""YOLO: a text file for each image, its boxes or outlines in shares of width and height (Ultralytics).

    data.yaml     images/PART/VIDEO_000123.jpg     labels/PART/VIDEO_000123.txt

Polygons (an object's outlines are joined into one, as Ultralytics does) or boxes; boxes that leave the picture are cut
at its edges. `videos` in `data.yaml` is ours: the size and rate of each, so that labels can be read without pictures.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from core.formats.exchange.material import Format, Material
from core.formats.exchange.model import SeenObject, VideoResults
from core.formats.exchange.yolo_reader import read
from core.masks import polygons, rle


def picture(part: str, video: str, frame: int) -> str:
    """See `Format.picture`."""
    return f"images/{part}/{video}_{frame:06}.jpg"


def write(root: Path, material: Material) -> None:
    """See `Format.write`."""
    classes = {label: number for number, label in enumerate(material.labels)}
    for part, video in material.videos():
        folder = root / "labels" / part
        folder.mkdir(parents=True, exist_ok=True)
        (root / "images" / part).mkdir(parents=True, exist_ok=True)
        for frame in video.read():
            written = ((one, _numbers(one, video, material.shape)) for one in frame.objects)
            rows = (f"{classes[one.label]} {numbers}\n" for one, numbers in written if numbers)
            (folder / f"{video.name}_{frame.source_frame:06}.txt").write_text("".join(rows))
    names = list(material.parts)
    about = {
        "train": f"images/{names[0]}",
        "val": f"images/{'val' if 'val' in names else names[0]}",
        **({"test": "images/test"} if "test" in names else {}),
        "names": {number: label for label, number in classes.items()},
        "videos": {
            video.name: {"width": video.width, "height": video.height, "fps": video.fps, "length": video.length}
            for _, video in material.videos()
        },
    }
    (root / "data.yaml").write_text(yaml.safe_dump(about, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _numbers(one: SeenObject, video: VideoResults, shape: str) -> str:
    """A row without its class; "" where nothing of the box is in the picture: Ultralytics drops pictures for it."""
    if shape == "box" or one.rle is None:
        x0, x1 = (min(max(x, 0.0), video.width) for x in one.box_xyxy[::2])
        y0, y1 = (min(max(y, 0.0), video.height) for y in one.box_xyxy[1::2])
        if x0 >= x1 or y0 >= y1:
            return ""
        place = np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
        shares = place / (video.width, video.height, video.width, video.height)
    else:
        corners = _joined([np.reshape(p, (-1, 2)) for p in polygons.outlines(rle.decode(one.rle))])
        shares = (corners / (video.width, video.height)).ravel()
    return " ".join(f"{share:.7g}" for share in shares)


def _joined(parts: "list[np.ndarray[Any, np.dtype[np.float64]]]") -> "np.ndarray[Any, np.dtype[np.float64]]":
    """One outline that runs round all parts: to each further one, round it, and back the same way."""
    if not parts:
        return np.zeros((3, 2))
    joined = parts[0]
    for part in parts[1:]:
        gaps = np.linalg.norm(joined[:, None] - part[None], axis=2)
        here, there = np.unravel_index(int(gaps.argmin()), gaps.shape)
        around = np.concatenate([part[there:], part[: there + 1]])
        joined = np.concatenate([joined[: here + 1], around, joined[here:]])
    return joined


FORMAT = Format(
    "yolo", "YOLO (Ultralytics): a text file for each image", ("polygon", "box"),
    "identity, scores, times, what is not judged; of masks the holes, and gaps between parts", write, read, picture,
)  # fmt: skip
