import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from core.store.digests import DigestCache, sha256_file, sha256_json


def _age(path: Path, by_s: float = 60) -> None:
    then = path.stat().st_mtime - by_s
    os.utime(path, (then, then))


def test_content_counts_and_the_name_does_not(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_bytes(b"same")
    cache = DigestCache(tmp_path / "digests.json")
    assert cache.content(tmp_path / "a.mp4") == cache.content(tmp_path / "b.mp4") == sha256_file(tmp_path / "a.mp4")


def test_a_changed_file_gets_a_new_digest_even_at_the_same_size(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    _age(file)
    cache = DigestCache(tmp_path / "digests.json")
    before = cache.file(file)
    cache.save()
    file.write_bytes(b"two")
    assert DigestCache(tmp_path / "digests.json").file(file) == sha256_file(file) != before


def test_digests_are_remembered_without_reading_the_file_again(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    _age(file)
    first = DigestCache(tmp_path / "digests.json")
    digest = first.file(file)
    first.save()
    status = file.stat()
    file.write_bytes(b"two")  # unseen: size and time stamp are put back
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert DigestCache(tmp_path / "digests.json").file(file) == digest


def test_a_spoilt_cache_file_is_started_anew(tmp_path: Path) -> None:
    (tmp_path / "digests.json").write_text('{"x": [1,')
    (tmp_path / "f").write_bytes(b"one")
    assert DigestCache(tmp_path / "digests.json").file(tmp_path / "f") == sha256_file(tmp_path / "f")


def test_a_folder_of_images_changes_with_any_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "0.png").write_bytes(b"a")
    cache = DigestCache(tmp_path / "digests.json")
    before = cache.content(folder)
    (folder / "1.png").write_bytes(b"b")
    assert cache.content(folder) != before


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()))
def test_equal_values_have_equal_digests_whatever_their_order(value: dict[str, object]) -> None:
    assert sha256_json(value) == sha256_json(dict(reversed(value.items())))
