"""Id maps: every integer type there and back, and files that are not what they say."""

import contextlib
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from core.errors import BadMedia, MaskflowError, UnsafeFile
from core.formats.id_maps import read_id_map, write_id_map, write_png16

TRICKY = [-1, 0, 1, 65_535, 70_000]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(arrays(np.int64, array_shapes(min_dims=2, max_dims=2), elements=st.sampled_from([*TRICKY, 2**31, -(2**40)])))
def test_ids_survive_writing_in_the_narrowest_type(tmp_path: Path, id_map: np.ndarray) -> None:
    path = tmp_path / "a.pth"
    write_id_map(path, id_map)
    np.testing.assert_array_equal(read_id_map(path), id_map)
    first = path.read_bytes()
    stored = torch.load(path, weights_only=True).dtype
    small, middle = id_map.min() >= 0 and id_map.max() <= 65_535, abs(id_map).max() < 2**31
    assert stored == (torch.uint16 if small else torch.int32 if middle else torch.int64)
    write_id_map(tmp_path / "another name.pth", id_map)
    assert (tmp_path / "another name.pth").read_bytes() == first, "equal maps give equal bytes"


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.bool_])
@pytest.mark.parametrize("form", ["tensor", "array", "array with a channel", "npz"])
def test_every_integer_type_is_read(tmp_path: Path, kind: Any, form: str) -> None:
    id_map = (np.arange(12).reshape(3, 4) % 2).astype(kind)
    path = tmp_path / ("map.npz" if form == "npz" else "map.pth")
    if form == "npz":
        np.savez_compressed(path, ids=id_map)
    else:
        torch.save({"tensor": torch.from_numpy(id_map), "array": id_map}.get(form, id_map[..., None]), path)
    read = read_id_map(path)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, id_map)


def test_png_files(tmp_path: Path) -> None:
    wide = np.array([[0, 255, 256], [65_535, 1, 2]])
    write_png16(tmp_path / "wide.png", wide)
    np.testing.assert_array_equal(read_id_map(tmp_path / "wide.png"), wide)
    narrow = wide.clip(0, 255).astype(np.uint8)
    Image.fromarray(narrow).save(tmp_path / "narrow.png")
    np.testing.assert_array_equal(read_id_map(tmp_path / "narrow.png"), narrow)
    palette = Image.fromarray(narrow)
    palette.putpalette(bytes(range(256)) * 3)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_id_map(tmp_path / "palette.png"), narrow)
    Image.fromarray(np.dstack([narrow, 0 * narrow, 0 * narrow])).save(tmp_path / "colour.png")
    np.testing.assert_array_equal(read_id_map(tmp_path / "colour.png"), narrow)
    sixteen = np.array([[300, 301], [2, 65_535]], np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), np.dstack([0 * sixteen, 0 * sixteen, sixteen]))
    np.testing.assert_array_equal(read_id_map(tmp_path / "deep.png"), sixteen)
    (tmp_path / "four.png").write_bytes(_grey_of_4_bits([[1, 2, 3, 15]]))
    assert read_id_map(tmp_path / "four.png").tolist() == [[1, 2, 3, 15]]
    for one in (-1, 65_536):
        with pytest.raises(ValueError, match="do not fit 16 bits"):
            write_png16(tmp_path / "no.png", np.array([[one]]))


def _grey_of_4_bits(rows: list[list[int]]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = b"".join(b"\0" + bytes(a << 4 | b for a, b in zip(row[::2], row[1::2], strict=True)) for row in rows)
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 4, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(packed)) + chunk(b"IEND", b"")


class _Hostile:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("where", ["whole", "in a dictionary", "in an array", "old pickle"])
def test_a_hostile_pickle_is_refused_without_running_it(tmp_path: Path, where: str) -> None:
    mark, path = tmp_path / "it ran", tmp_path / "map.pth"
    hostile: Any = _Hostile(mark)
    if where == "old pickle":
        path.write_bytes(pickle.dumps(hostile))
    elif where == "in an array":
        torch.save(np.array([[hostile]], object), path)
    else:
        torch.save(hostile if where == "whole" else {"map": torch.zeros(2, 2), "more": hostile}, path)
    with pytest.raises(UnsafeFile, match=r"map\.pth"):
        read_id_map(path)
    assert not mark.exists()


def test_what_is_no_map_is_named(tmp_path: Path) -> None:
    def refused(name: str, content: Any, reason: str) -> None:
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, dict) and name.endswith(".npz"):
            np.savez(path, **content)
        else:
            torch.save(content, path)
        with pytest.raises(MaskflowError, match=reason):
            read_id_map(path)

    refused("floats.pth", torch.zeros(2, 2), "whole numbers .*not float32")
    refused("cube.pth", torch.zeros(3, 4, 5, dtype=torch.int32), r"not int32 \[3, 4, 5\]")
    refused("list.pth", [1, 2], "holds a list")
    refused("sparse.pth", torch.eye(3, dtype=torch.int64).to_sparse(), "no map")
    refused("huge.pth", torch.zeros(1, dtype=torch.uint8).expand(100_000, 100_000), "more than")
    refused("empty.pth", torch.zeros(0, 4, dtype=torch.int32), "no picture")
    refused("cut.pth", b"PK\x03\x04 cut short", "damaged")
    refused("none.pth", b"", "empty")
    refused("two.npz", {"a": np.zeros((2, 2), int), "b": np.zeros((2, 2), int)}, "2 arrays")
    refused("objects.npz", {"a": np.array([[{}]], object)}, "plain arrays")
    refused("cut.png", b"\x89PNG\r\n\x1a\n", "unreadable image")
    refused("large.pth", torch.full((2, 2), 2**63, dtype=torch.uint64), "ids up to")
    refused("map.txt", b"1 2", "not an id map")
    with pytest.raises(BadMedia, match="unreadable"):
        read_id_map(tmp_path / "missing.pth")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w") as member,
    ):
        for _ in range(700):
            member.write(bytes(2**20))
    with pytest.raises(UnsafeFile, match="over the ceiling"):
        read_id_map(tmp_path / "bomb.npz")


def test_a_tensor_file_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    torch.save(torch.zeros(10, 10, dtype=torch.int64), tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
        with bomb.open("a/data/1", "w") as member:
            for _ in range(700):
                member.write(bytes(2**20))
    with pytest.raises(UnsafeFile, match="more than"):
        read_id_map(tmp_path / "bomb.pth")


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).integers(0, 9, (40, 40)))
    good = path.read_bytes()
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        with contextlib.suppress(MaskflowError):
            read_id_map(path)
