"""The cache keeps to its limit, and never lets go of what is in use."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from core.addresses.cache import LIMIT_VARIABLE, FetchCache, cache_limit_bytes
from core.addresses.remote import RemoteFile
from core.errors import MaskflowError

KIB = 1024


def _add(cache: FetchCache, tmp_path: Path, number: int) -> str:
    made = tmp_path / f"made{number}"
    made.write_bytes(bytes([number]) * KIB)
    digest = sha256(made.read_bytes()).hexdigest()
    place = cache.add(made, digest, "a.mp4")
    os.utime(place.parent, (number, number))
    return digest


def test_the_longest_unused_goes_first(tmp_path: Path) -> None:
    cache = FetchCache(tmp_path / "cache", 4 * KIB)
    digests = [_add(cache, tmp_path, number) for number in range(4)]
    cache.find(digests[0], "a.mp4")  # it is used now
    cache.make_room(2 * KIB)
    assert [cache.find(one, "a.mp4") is not None for one in digests] == [True, False, False, True]


def test_what_any_process_uses_stays(tmp_path: Path) -> None:
    cache = FetchCache(tmp_path / "cache", 1 * KIB)
    mine, theirs, free = (_add(cache, tmp_path, number) for number in range(3))
    cache.use(mine)
    cache.use(mine)
    script = (
        f"import sys\nfrom pathlib import Path\nfrom core.addresses.cache import FetchCache\n"
        f"cache = FetchCache(Path({str(tmp_path / 'cache')!r}), 1)\ncache.use({theirs!r})\n"
        "print('used', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "used\n"
        assert [one.in_use for one in cache.objects()] == [True, True, False]
        cache.make_room(0)
        assert cache.find(free, "a.mp4") is None
        other.kill()
    cache.release(mine)
    assert [one.in_use for one in cache.objects()] == [True, False]  # of the one that was killed nothing is left
    cache.release(mine)
    cache.remove(cache.prunable(max_bytes=0))
    assert cache.objects() == []


def test_an_address_is_known_only_in_its_version(tmp_path: Path) -> None:
    cache = FetchCache(tmp_path / "cache", KIB)
    file = RemoteFile("s3://b/a", 3, "v1")
    cache.note(file, "abc")
    assert cache.known(file) == "abc"
    assert cache.known(RemoteFile("s3://b/a", 3, "v2")) is None
    assert cache.known(RemoteFile("s3://b/b", 3, "v1")) is None
    cache.note(RemoteFile("https://b/a", 3, ""), "abc")
    assert cache.known(RemoteFile("https://b/a", 3, "")) is None  # without a version nothing can be known


def test_names_of_addresses_stay_in_the_folder(tmp_path: Path) -> None:
    cache = FetchCache(tmp_path / "cache", KIB)
    digest = _add(cache, tmp_path, 1)
    for name in ("../../x", ".hidden", "/etc/passwd", "a\0b", "x" * 500):
        found = cache.find(digest, name)
        assert found is not None
        assert found.parent == tmp_path / "cache" / "objects" / digest


def test_a_limit_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "lots")
    with pytest.raises(MaskflowError, match="is not a number of GiB"):
        cache_limit_bytes()
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5")
    assert cache_limit_bytes() == 2**29
