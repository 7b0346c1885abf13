"""All overlaps of masks with ids in one pass, beside a boolean pass for each pair."""

import time

import numpy as np

from core.masks.contingency import contingency, label
from core.masks.region import Region

HEIGHT, WIDTH, MASKS, IDS = 1080, 1920, 100, 60


def scene(random: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
    """An id map of 60 ids of uneven size (nearest of 60 points), and 100 discs and rectangles of 0.05 to 20 %."""
    ys, xs = np.indices((HEIGHT, WIDTH))
    points = random.uniform((0, 0), (HEIGHT, WIDTH), (IDS, 2))
    distance = np.stack([(ys - y) ** 2 + (xs - x) ** 2 for y, x in points])
    masks = []
    for turn in range(MASKS):
        y, x = random.uniform((0, 0), (HEIGHT, WIDTH))
        size = np.sqrt(HEIGHT * WIDTH * np.exp(random.uniform(np.log(0.0005), np.log(0.2))))
        if turn % 2:
            masks.append((ys - y) ** 2 + (xs - x) ** 2 < size**2 / np.pi)
        else:
            masks.append((abs(ys - y) < size / 2) & (abs(xs - x) < size / 2))
    return distance.argmin(axis=0).astype(np.int64) + 1, masks


def main() -> None:
    """Print both times and their ratio; the matrices must be equal to the last bit."""
    id_map, masks = scene(np.random.default_rng(0))
    started = time.perf_counter()
    pairwise = np.zeros((MASKS, IDS))
    ids = np.unique(id_map)
    for column, one in enumerate(ids):
        here = id_map == one
        for row, mask in enumerate(masks):
            pairwise[row, column] = np.count_nonzero(mask & here) / np.count_nonzero(mask | here)
    slow_s = time.perf_counter() - started
    times_s = []
    for _ in range(5):
        started = time.perf_counter()
        iou = contingency([Region.of(mask) for mask in masks], label(id_map)).iou
        times_s.append(time.perf_counter() - started)
    fast_s = float(np.median(times_s))
    assert np.array_equal(iou, pairwise), "the matrices differ"
    share = np.mean([mask.mean() for mask in masks])
    print(f"{MASKS} masks x {len(ids)} ids, {WIDTH}x{HEIGHT}, masks of {share:.1%} of the picture on average")
    print("| | seconds |\n|---|---|")
    print(f"| a boolean pass for each pair | {slow_s:.2f} |")
    print(f"| one contingency table (median of 5) | {fast_s:.3f} |")
    print(f"\nIdentical; **{slow_s / fast_s:.0f}x**.")


if __name__ == "__main__":
    main()
