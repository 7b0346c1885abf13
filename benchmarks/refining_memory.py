"""Peak memory of a worker that refines 500 images, in one process, beside that after 50."""

import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.degrade import everything
from core.formats.id_maps import write_id_map
from core.models.spec import ModelSpec
from core.refining.chunk_item import ImageRequest, RefineRequest, refine_images
from core.refining.refine import Settings

IMAGES, CHUNK, SIDE = 500, 25, 480


def main() -> None:
    """Print the peak of resident memory after 50 and after all images."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pairs = [_write(root, number) for number in range(20)]
        peaks = []
        for start in range(0, IMAGES, CHUNK):
            chunk = [pairs[(start + turn) % len(pairs)] for turn in range(CHUNK)]
            requested = RefineRequest(images=chunk, generator=ModelSpec(backend="classical"), settings=Settings())
            out = root / f"out{start}"
            out.mkdir()
            record = refine_images(requested.model_dump(mode="json"), out, lambda done, expected: None)
            peaks.append(record["memory"]["host_peak_mib"])
            print(f"{start + CHUNK} images: peak {peaks[-1]:.0f} MiB", flush=True)
    early, late = max(peaks[: 50 // CHUNK]), max(peaks)
    print(f"\n50 images {early:.0f} MiB, {IMAGES} images {late:.0f} MiB: **{late / early - 1:+.1%}**")


def _write(root: Path, number: int) -> ImageRequest:
    """A picture of textured cells, and its spoilt ids."""
    random = np.random.default_rng(number)
    ys, xs = np.indices((SIDE, SIDE * 4 // 3))
    points = random.uniform((0, 0), ys.shape, (30, 2))
    truth = np.stack([(ys - y) ** 2 + (xs - x) ** 2 for y, x in points]).argmin(axis=0).astype(np.int64) + 1
    image = random.integers(40, 220, (31, 3))[truth] + random.integers(-12, 13, (*truth.shape, 3))
    files = ImageRequest(image=root / f"{number}.png", id_map=root / f"{number}.pth")
    cv2.imwrite(str(files.image), image.clip(0, 255).astype(np.uint8))
    write_id_map(files.id_map, everything(truth, 5.0, random))
    return files


if __name__ == "__main__":
    main()
