"""The file that keeps the matches of some pairs of frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from core.reconstruction.matching import PairGeometry
from core.reconstruction.settings import MatchFile
from core.reconstruction.windowing import Pair
from core.store.safe_load import load_npz


def write_pairs(path: Path, pairs: Sequence[Pair], found: Sequence[PairGeometry]) -> None:
    """Write the verified ones of some pairs; `pairs` number the frames within this file."""
    np.savez(
        path,
        pairs=np.array(pairs, np.int32).reshape(-1, 2),
        offsets=np.cumsum([0, *(len(one.matches) for one in found)]),
        matches=np.concatenate([np.zeros((0, 2), np.uint32), *(one.matches for one in found)]),
        configs=np.array([one.config for one in found], np.int32),
        matrices=np.array([one.matrices for one in found], np.float64).reshape(-1, 3, 3, 3),
    )


def read_pairs(file: MatchFile, wanted: set[int]) -> Iterator[tuple[Pair, PairGeometry]]:
    """The verified pairs both of whose frames, numbered as in the sequence, are `wanted`; in the order written."""
    if len(wanted & set(file.frames)) < 2:
        return
    found = load_npz(file.path)
    for number, (one, other) in enumerate(found["pairs"]):
        pair = file.frames[one], file.frames[other]
        if wanted.issuperset(pair):
            rows = slice(found["offsets"][number], found["offsets"][number + 1])
            yield pair, PairGeometry(found["matches"][rows], int(found["configs"][number]), found["matrices"][number])
