import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.store.digests import DigestCache, host_digest, sha256_file, sha256_json


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


def test_digests_are_remembered_without_reading_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"one")
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + 60)
    first = DigestCache(tmp_path / "digests.json")
    digest = first.file(file)
    first.save()
    monkeypatch.setattr("core.store.digests.sha256_file", lambda *_: "read again")
    again = DigestCache(tmp_path / "digests.json")
    assert again.file(file) == digest
    status = file.stat()
    file.write_bytes(b"two")  # of the same size, and its time stamp is put back, as `cp -p` does
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert again.file(file) == "read again"


def test_many_files_are_read_at_once_and_what_is_missing_is_left_out(tmp_path: Path) -> None:
    files = [tmp_path / str(number) for number in range(9)]
    for file in files[:-1]:
        file.write_bytes(file.name.encode())
    reported: list[tuple[int, int | None]] = []
    DigestCache(tmp_path / "digests.json").read(files, lambda done, expected: reported.append((done, expected)))
    assert reported == [(done, 9) for done in range(1, 10)]


def test_reading_a_large_file_tells_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(40 * 2**20))
    reported: list[tuple[int, int | None]] = []
    digest = sha256_file(tmp_path / "large", lambda done, expected: reported.append((done, expected)))
    assert reported == [(16, 40), (32, 40), (40, 40)]
    assert digest == sha256_file(tmp_path / "large")


def test_weights_are_read_once_on_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "weights").write_bytes(b"weights")
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + 60)
    digest = host_digest(tmp_path / "weights")
    monkeypatch.setattr("core.store.digests.sha256_file", lambda *_: "read again")
    assert host_digest(tmp_path / "weights") == digest


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
