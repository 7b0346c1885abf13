import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import UnsafeFile
from core.store import npz as npz_module
from core.store.npz import NpzReader, NpzWriter


@given(
    hnp.arrays(
        st.sampled_from([np.dtype(code) for code in ("u1", "?", "<f4", ">i4")]),
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements={"allow_nan": False},
    ),
    st.booleans(),
)
def test_pieces_put_together_are_the_array(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, fortran: bool
) -> None:
    path = tmp_path_factory.mktemp("npz") / "a.npz"
    np.savez(path, a=np.asfortranarray(array) if fortran else array)
    with NpzReader(path) as npz:
        for leading in (1, 2):
            parts = list(npz.blocks("a", leading))
            np.testing.assert_array_equal(np.stack(parts).reshape(array.shape), array)
        np.testing.assert_array_equal(npz.array("a"), array)


def test_written_archives_open_with_numpy_and_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    frames = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    for name in ("a.npz", "b.npz"):
        with NpzWriter(tmp_path / name) as out:
            out.array("folder/plain", np.array([1, 2], np.float32))
            out.array("text", "words")
            out.blocks("frames", frames.shape, np.uint8, iter(frames))
    with np.load(tmp_path / "a.npz") as found:
        np.testing.assert_array_equal(found["frames"], frames)
        np.testing.assert_array_equal(found["folder/plain"], np.array([1, 2], np.float32))
        assert str(found["text"]) == "words"
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_members_are_copied_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", odd=np.array({"x": object}, dtype=object))
    with NpzReader(tmp_path / "a.npz") as npz, NpzWriter(tmp_path / "b.npz") as out, out.member("odd") as stream:
        npz.copy("odd", stream)
    with zipfile.ZipFile(tmp_path / "a.npz") as one, zipfile.ZipFile(tmp_path / "b.npz") as other:
        assert one.read("odd.npy") == other.read("odd.npy")


def _forged(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path


def _array(shape: str, data: bytes, dtype: str = "|u1") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        (_array("(1000000, 1000000)", b"12"), "says it is uint8"),
        (_array("(3,)", b"12"), "but has 2 bytes"),
        (_array("(-2, -1)", b"12"), "says it is"),
        (_array("__import__('os').getcwd()", b"12"), "is not an array"),
        (b"not an array", "is not an array"),
        (b"", "is not an array"),
    ],
)
def test_arrays_that_are_not_what_they_say_are_refused(tmp_path: Path, content: bytes, reported: str) -> None:
    with NpzReader(_forged(tmp_path / "a.npz", "a.npy", content)) as npz, pytest.raises(UnsafeFile, match=reported):
        npz.array("a")


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.random.default_rng(0).random(5000))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(whole[:-200])
    with pytest.raises(UnsafeFile, match="not an archive"):
        NpzReader(tmp_path / "b.npz")
    spoilt = bytearray(whole)
    spoilt[3000:3100] = bytes(100)
    (tmp_path / "c.npz").write_bytes(spoilt)
    with NpzReader(tmp_path / "c.npz") as npz, pytest.raises(UnsafeFile, match="damaged"):
        list(npz.blocks("a", 1))


def test_what_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(4_000_000, np.uint8))
    assert (tmp_path / "bomb.npz").stat().st_size < 10_000
    monkeypatch.setattr(npz_module, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(UnsafeFile, match=r"4,000,128 bytes unpacked, over the ceiling"):
        NpzReader(tmp_path / "bomb.npz")


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", _array("(2,)", b"12"))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", _array("(2,)", b"34"))
    with pytest.raises(UnsafeFile, match="two members of one name"):
        NpzReader(tmp_path / "a.npz")


def test_objects_are_not_read_as_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([{}, 1], dtype=object))
    with NpzReader(tmp_path / "a.npz") as npz:
        with pytest.raises(UnsafeFile, match="plain numbers are expected"):
            npz.array("a")
        with pytest.raises(UnsafeFile, match="not one object"):
            npz.plain_object("a")
        with pytest.raises(UnsafeFile, match="there is no array 'b'"):
            npz.array("b")
