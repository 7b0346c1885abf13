"""Whatever happens on the way, the bytes that are here are those that are there; or one line says why not."""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from remote_servers import WebServer, web_server

from core.addresses.cache import FetchCache
from core.addresses.fetching import Fetched, fetch
from core.addresses.remote import AddressError, RemoteFile
from core.addresses.web import TRUSTED, Web

DATA = os.urandom(3 * 2**20)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server() as found:
        found.files["/a.mp4"] = DATA
        monkeypatch.setenv(TRUSTED, found.host)
        yield found


def _cache(tmp_path: Path, limit_bytes: int = 2**40) -> FetchCache:
    return FetchCache(tmp_path / "cache", limit_bytes)


def _fetch(cache: FetchCache, server: WebServer, path: str = "/a.mp4") -> Fetched:
    return fetch(cache, Web(), f"{server.url}{path}", lambda done, expected: None, pause=lambda _: None)


def _is(found: Fetched, data: bytes) -> None:
    assert found.path.read_bytes() == data
    assert found.sha256 == hashlib.sha256(data).hexdigest()


def test_what_is_here_is_not_fetched_again(server: WebServer, tmp_path: Path) -> None:
    _is(_fetch(_cache(tmp_path), server), DATA)
    sent = server.sent
    again = _fetch(_cache(tmp_path), server)
    _is(again, DATA)
    assert again.path.name == "a.mp4"
    assert server.sent == sent


def test_the_same_bytes_under_another_address_are_kept_once(server: WebServer, tmp_path: Path) -> None:
    server.files["/other/b.mp4"] = DATA
    cache = _cache(tmp_path)
    first, second = _fetch(cache, server), _fetch(cache, server, "/other/b.mp4")
    assert second.path.name == "b.mp4"
    assert first.path.samefile(second.path)
    assert len(cache.objects()) == 1


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("heads", [True, False])
def test_a_connection_that_breaks_is_gone_on_with(ranges: bool, heads: bool, server: WebServer, tmp_path: Path) -> None:
    server.faults.ranges, server.faults.heads = ranges, heads
    server.faults.cut_after, server.faults.cuts = 2**20 + 7, 2
    _is(_fetch(_cache(tmp_path), server), DATA)
    if ranges:
        assert server.sent <= len(DATA) + 2  # of asking without HEAD
        assert ("GET", "/a.mp4", f"bytes={2**20 + 7}-") in server.requests


def test_faults_of_the_server_are_waited_out(server: WebServer, tmp_path: Path) -> None:
    server.faults.tags = False
    cache = _cache(tmp_path)
    first = fetch(cache, Web(), f"{server.url}/a.mp4", lambda done, expected: setattr(server.faults, "errors", 0))
    _is(first, DATA)


def test_what_does_not_end_says_so_and_what_came_is_kept(server: WebServer, tmp_path: Path) -> None:
    server.faults.cut_after, server.faults.cuts = 1000, 1
    cache = _cache(tmp_path)

    class Dead(Web):
        def read(self, file, start):  # type: ignore[no-untyped-def]
            if start:
                server.faults.errors = 1
            yield from super().read(file, start)

    with pytest.raises(AddressError, match=r"it cannot be read: the server has a fault .HTTP 503.; what came is kept"):
        fetch(cache, Dead(), f"{server.url}/a.mp4", lambda done, expected: None, pause=lambda _: None)
    _is(_fetch(cache, server), DATA)
    assert ("GET", "/a.mp4", "bytes=1000-") in server.requests


@pytest.mark.parametrize("tags", [True, False])
def test_a_file_that_changes_meanwhile_is_fetched_anew(tags: bool, server: WebServer, tmp_path: Path) -> None:
    server.faults.tags = tags
    server.change_after["/a.mp4"] = b"new" * 1000
    _is(_fetch(_cache(tmp_path), server), b"new" * 1000)


def test_another_version_is_fetched(server: WebServer, tmp_path: Path) -> None:
    cache = _cache(tmp_path)
    _fetch(cache, server)
    server.files["/a.mp4"] = DATA[::-1]
    _is(_fetch(cache, server), DATA[::-1])


def test_who_wants_the_same_waits_for_it(server: WebServer, tmp_path: Path) -> None:
    cache, found = _cache(tmp_path), []
    server.faults.bytes_per_s = 10 * 2**20
    threads = [threading.Thread(target=lambda: found.append(_fetch(cache, server))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.sent == len(DATA)
    assert {one.sha256 for one in found} == {hashlib.sha256(DATA).hexdigest()}


def test_an_empty_file_and_one_that_is_not_there(server: WebServer, tmp_path: Path) -> None:
    server.files["/empty"] = b""
    _is(_fetch(_cache(tmp_path), server, "/empty"), b"")
    with pytest.raises(AddressError, match=r"/none\.mp4: there is no such file"):
        _fetch(_cache(tmp_path), server, "/none.mp4")


def test_redirects_lead_only_where_addresses_may(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.redirects["/there"] = f"{server.url}/a.mp4"
    _is(_fetch(_cache(tmp_path), server, "/there"), DATA)
    server.redirects["/round"] = f"{server.url}/round"
    with pytest.raises(AddressError, match="more than 5 redirects"):
        _fetch(_cache(tmp_path), server, "/round")
    for target in ("http://127.0.0.1:1/x", "file:///etc/passwd", "ftp://example.org/x", "http://example.org/x"):
        server.redirects["/away"] = target
        with pytest.raises(AddressError, match=r"it leads to a (http|file|ftp):// address"):
            _fetch(_cache(tmp_path), server, "/away")
    server.redirects["/private"] = "https://127.0.0.1:1/x"
    with pytest.raises(AddressError, match="it leads to an address of a private network"):
        _fetch(_cache(tmp_path), server, "/private")
    monkeypatch.delenv(TRUSTED)
    with pytest.raises(AddressError, match="only https:// is followed"):
        _fetch(_cache(tmp_path), server)


def test_a_full_disk_says_where(server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(AddressError, match=r"it cannot be kept here .No space left on device.: make room"):
        _fetch(_cache(tmp_path), server)


def test_a_cancelled_run_ends_it(server: WebServer, tmp_path: Path) -> None:
    def stop(done: int, expected: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(_cache(tmp_path), Web(), f"{server.url}/a.mp4", stop)
    assert _cache(tmp_path).objects() == []


@pytest.mark.parametrize(
    "address", ["https://h:80a/x", "https://a..b/x", "https://[1/x", "https://exa mple.org/x", "https://%/x"]
)
def test_what_is_no_address_is_an_error_of_its_item(address: str, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=r"^https://"):
        fetch(_cache(tmp_path), Web(), address, lambda done, expected: None, pause=lambda _: None)


def test_a_redirect_to_nowhere_is_an_error(server: WebServer, tmp_path: Path) -> None:
    server.redirects["/odd"] = "https://h:80a/x"
    with pytest.raises(AddressError, match=r"Invalid URL in location header|it leads to no address"):
        _fetch(_cache(tmp_path), server, "/odd")


def test_more_than_was_promised_ends(server: WebServer, tmp_path: Path) -> None:
    class Liar(Web):
        def info(self, address: str) -> RemoteFile:
            return replace(super().info(address), size=5)

    with pytest.raises(AddressError, match="it changed 3 times while it was read"):
        fetch(_cache(tmp_path), Liar(), f"{server.url}/a.mp4", lambda done, expected: None, pause=lambda _: None)


def test_what_storage_says_of_md5_may_be_no_md5(server: WebServer, tmp_path: Path) -> None:
    class Encrypted(Web):
        def info(self, address: str) -> RemoteFile:
            return replace(super().info(address), md5="0" * 32)

    found = fetch(_cache(tmp_path), Encrypted(), f"{server.url}/a.mp4", lambda done, expected: None)
    _is(found, DATA)


def test_a_password_comes_from_the_usual_file(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.password = "robot:word"
    with pytest.raises(AddressError, match=r"its credentials are refused: check a \.netrc file"):
        _fetch(_cache(tmp_path), server)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login robot password word\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    _is(_fetch(_cache(tmp_path), server), DATA)
