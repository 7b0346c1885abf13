"""A small picture of coloured blocks with known ids, and masks of it."""

import numpy as np

from core.formats.id_maps import IdMap
from core.masks.region import Region
from core.video.frames import RGB

HEIGHT, WIDTH = 60, 96


def blocks() -> tuple[RGB, IdMap]:
    """Three things side by side on a ground: the picture and its exact ids."""
    id_map = np.zeros((HEIGHT, WIDTH), np.int64)
    id_map[:, :] = 9
    for number, one in enumerate((3, 70_000, 5)):
        id_map[12:48, 6 + 30 * number : 30 + 30 * number] = one
    colours = {9: (90, 90, 90), 3: (200, 40, 40), 70_000: (40, 180, 60), 5: (50, 60, 210)}
    image = np.zeros((HEIGHT, WIDTH, 3), np.int16)
    for one, colour in colours.items():
        image[id_map == one] = colour
    image += np.random.default_rng(0).integers(-6, 7, image.shape, np.int16)
    return image.clip(0, 255).astype(np.uint8), id_map


def regions(id_map: IdMap) -> list[Region]:
    """A mask for each id, ascending."""
    return [Region.of(id_map == one) for one in np.unique(id_map)]
