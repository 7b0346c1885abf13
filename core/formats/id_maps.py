"""Instance-id maps [H, W] on disk: `.pth` (a tensor or NumPy array), PNG of 8 or 16 bits or in colour, NPZ."""

import io
import struct
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from core.errors import BadMedia
from core.formats.id_colours import IN_WORDS, ids_of_colours
from core.store.atomic import write_bytes
from core.store.safe_load import load_npz, load_pth
from core.video.limits import MAX_PIXELS, check_size

SUFFIXES = (".pth", ".png", ".npz")
IdMap = npt.NDArray[np.int64]
"""An id for every pixel, int64 [H, W]."""

_GREY = 0  # among PNG's colour types
_MAX_BYTES = 10 * MAX_PIXELS  # 8 bytes a pixel, and room for what is around them


class CodedMap(NamedTuple):
    """A map.

    Attributes:
        ids: int64 [H, W].
        coding: in which way its colours were taken for ids; "" where it holds plain numbers.
        palette: whether ids are indices of a palette, be it in the file or in its colours.
    """

    ids: IdMap
    coding: str
    palette: bool


def read_id_map(path: Path) -> IdMap:
    """As `read_coded_map`, the map alone."""
    return read_coded_map(path).ids


def read_coded_map(path: Path) -> CodedMap:
    """Read a map, whatever its integer type.

    PNG files hold ids as grey values (8 or 16 bits), as indices of a palette, or as colours (see
    `core.formats.id_colours`). An NPZ file holds one array.

    Raises:
        UnsafeFile: a `.pth` or `.npz` file that holds more than plain arrays; nothing in it was run.
        BadMedia: the file cannot be read, or does not hold a map of integers.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadMedia(f"{path.name}: not an id map ({', '.join(SUFFIXES)})")
    coding, palette = "", False
    try:
        if suffix == ".png":
            values, coding, palette = _read_png(path)
        else:
            values = _read_pth(path) if suffix == ".pth" else _read_npz(path)
    except OSError as error:
        raise BadMedia(f"{path.name}: unreadable ({error.strerror or error})") from None
    if values.ndim == 3 and 1 in (values.shape[0], values.shape[2]):
        values = values.squeeze(0 if values.shape[0] == 1 else 2)
    if values.ndim != 2 or values.dtype.kind not in "iub":
        raise BadMedia(f"{path.name}: an id map is whole numbers [H, W], not {values.dtype} {list(values.shape)}")
    check_size(path.name, values.shape[1], values.shape[0])
    if values.dtype == np.uint64 and int(values.max()) > np.iinfo(np.int64).max:
        raise BadMedia(f"{path.name}: ids up to {np.iinfo(np.int64).max} are read, not {values.max()}")
    return CodedMap(np.ascontiguousarray(values, np.int64), coding, palette)


def write_id_map(path: Path, id_map: IdMap) -> None:
    """Write a `.pth` tensor [H, W], atomically: uint16 where all ids fit, else int32, else int64.

    Equal maps give equal bytes.
    """
    import torch  # heavy: only where it is used

    lowest, highest = int(id_map.min()), int(id_map.max())
    types = (np.uint16, np.int32, np.int64)
    fitting = next(kind for kind in types if np.iinfo(kind).min <= lowest and highest <= np.iinfo(kind).max)
    packed = io.BytesIO()  # not straight to the file: its name would be in the bytes
    torch.save(torch.from_numpy(id_map.astype(fitting)), packed)
    write_bytes(path, packed.getvalue())


def write_png16(path: Path, id_map: IdMap) -> None:
    """Write a 16-bit grey PNG, atomically. Raises `ValueError` where an id is not within 0 .. 65535."""
    if int(id_map.min()) < 0 or int(id_map.max()) > np.iinfo(np.uint16).max:
        raise ValueError(f"ids from {id_map.min()} to {id_map.max()} do not fit 16 bits")
    write_bytes(path, cv2.imencode(".png", id_map.astype(np.uint16))[1].tobytes())


def _read_pth(path: Path) -> npt.NDArray[Any]:
    content = load_pth(path, max_bytes=_MAX_BYTES, arrays=True)
    if isinstance(content, np.ndarray):
        return content
    if type(content).__name__ != "Tensor":
        raise BadMedia(f"{path.name}: holds a {type(content).__name__}, not a tensor or NumPy array")
    try:
        return np.asarray(content.detach().numpy())
    except (TypeError, RuntimeError):  # sparse, quantised, half a byte a number …
        raise BadMedia(f"{path.name}: holds a {content.dtype} tensor that is no map") from None


def _read_png(path: Path) -> tuple[npt.NDArray[Any], str, bool]:
    try:
        with Image.open(path, formats=("PNG",)) as image:
            check_size(path.name, *image.size)
            depth, colours = path.read_bytes()[24:26]
            deep = depth == 16 and colours != _GREY  # Pillow would keep the upper 8 bits only
            values = _colours_of_16_bits(path) if deep else np.array(image)
            palette = image.mode == "P"
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, struct.error) as error:
        raise BadMedia(f"{path.name}: unreadable image ({error})") from None
    if colours == _GREY and 1 < depth < 8:  # Pillow spreads them over 0 .. 255
        values = values // (255 // (2**depth - 1))
    if values.ndim == 2:
        return values, "", palette
    ids, coding = ids_of_colours(path, values)
    return ids, IN_WORDS[coding], coding == "voc"


def _colours_of_16_bits(path: Path) -> npt.NDArray[Any]:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise BadMedia(f"{path.name}: unreadable image")
    if values.ndim == 2:
        return values
    return np.asarray(values[..., [2, 1, 0, 3][: values.shape[2]]])  # OpenCV has blue first


def _read_npz(path: Path) -> npt.NDArray[Any]:
    arrays = load_npz(path, max_bytes=_MAX_BYTES)
    if len(arrays) != 1:
        raise BadMedia(f"{path.name}: holds {len(arrays)} arrays ({', '.join(sorted(arrays)[:5])}), not one map")
    return next(iter(arrays.values()))
