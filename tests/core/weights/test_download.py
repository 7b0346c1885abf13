"""Downloading from a real server on this machine, which can break off, ignore ranges, lie, or refuse."""

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from core.weights.catalogue import Weights, WeightsFile
from core.weights.download import DownloadFailed, check, download, request_headers

CONTENT = np.random.default_rng(0).bytes(3_000_000)


class Server(ThreadingHTTPServer):
    """Serves CONTENT at every path. What it does wrong is set by the test."""

    breaks_off_after: int | None = None
    knows_ranges = True
    status: int | None = None
    content = CONTENT
    tells_length = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requested: list[tuple[str, str | None]] = []
        self.tokens: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requested.append((self.path, wanted))
        self.server.tokens.append(self.headers.get("Authorization"))
        if self.server.status is not None:
            self.send_error(self.server.status)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.knows_ranges else 0
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.breaks_off_after])

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _weights(server: Server, gated: bool = False) -> tuple[Weights, WeightsFile]:
    file = WeightsFile("toy/model.bin", f"{server.address}/resolve/x", len(CONTENT), sha256(CONTENT).hexdigest())
    return Weights("toy", "none", [file], "nothing", gated), file


def test_a_download_arrives_whole_and_is_not_repeated(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server)
    reported: list[int] = []
    assert check(file, tmp_path) == "missing"
    download(weights, file, tmp_path, None, reported.append)
    assert (tmp_path / "toy/model.bin").read_bytes() == CONTENT
    assert reported == sorted(reported)
    assert reported[-1] == len(CONTENT)
    assert check(file, tmp_path) == "ok"
    download(weights, file, tmp_path, None, reported.append)
    assert len(server.requested) == 1
    assert [path.name for path in tmp_path.rglob("*.part")] == []


def test_a_small_file_of_unknown_size_is_known_by_its_digest(server: Server, tmp_path: Path) -> None:
    server.content = b'{"small": 1}'
    file = WeightsFile("toy/config.json", f"{server.address}/x", None, sha256(server.content).hexdigest())
    weights = Weights("toy", "none", [file], "nothing")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/.config.json.part").write_text("left by an interrupted try")
    download(weights, file, tmp_path, None, lambda _: None)
    assert (tmp_path / "toy/config.json").read_bytes() == server.content
    assert check(file, tmp_path) == "ok"
    (tmp_path / "toy/config.json").write_text("changed")
    assert check(file, tmp_path) == "damaged"
    server.content = bytes(2**20 + 1)
    server.tells_length = False
    with pytest.raises(DownloadFailed, match="sends more than"):
        download(weights, file, tmp_path, None, lambda _: None)


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_a_broken_download_goes_on(server: Server, tmp_path: Path, knows_ranges: bool) -> None:
    weights, file = _weights(server)
    server.breaks_off_after = 1_200_000
    with pytest.raises(DownloadFailed, match="run the same command again to go on"):
        download(weights, file, tmp_path, None, lambda _: None)
    assert not (tmp_path / "toy/model.bin").exists()
    kept = (tmp_path / "toy/.model.bin.part").stat().st_size
    assert 0 < kept <= 1_200_000
    server.breaks_off_after = None
    server.knows_ranges = knows_ranges
    download(weights, file, tmp_path, None, lambda _: None)
    assert server.requested[-1] == ("/resolve/x", f"bytes={kept}-")
    assert (tmp_path / "toy/model.bin").read_bytes() == CONTENT


def test_what_is_not_the_published_file_never_gets_its_name(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server)
    part = tmp_path / "toy/.model.bin.part"

    def refused(match: str) -> None:
        with pytest.raises(DownloadFailed, match=match):
            download(weights, file, tmp_path, None, lambda _: None)
        assert not part.exists(), "nothing is left that would spoil the next try"
        assert not (tmp_path / "toy/model.bin").exists()

    server.content = bytes(len(CONTENT))
    refused("SHA-256 .* not the published file, removed")
    for content in (CONTENT + b"more", CONTENT[:-5], b"<html>"):
        server.content = content
        refused(f"has {len(content):,} bytes, the published file 3,000,000")
    server.tells_length = False
    server.content = CONTENT + b"more"
    refused("sends more than the 3,000,000 bytes published")
    part.write_bytes(CONTENT[:-2])
    server.status = 416
    refused("shorter than the published file; the part is removed")


def test_a_server_that_does_not_tell_how_much_it_sends(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server)
    server.tells_length = False
    server.content = CONTENT[:-5]
    with pytest.raises(DownloadFailed, match="ended after 2,999,995 of 3,000,000 bytes; run the same command again"):
        download(weights, file, tmp_path, None, lambda _: None)
    server.content = CONTENT
    download(weights, file, tmp_path, None, lambda _: None)
    assert check(file, tmp_path) == "ok"


def test_a_damaged_file_is_noticed_and_replaced(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/model.bin").write_bytes(bytes(len(CONTENT)))
    assert check(file, tmp_path) == "damaged"
    download(weights, file, tmp_path, None, lambda _: None)
    assert check(file, tmp_path) == "ok"


def test_a_mirror_is_laid_out_like_the_models_folder(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server)
    download(weights, file, tmp_path, server.address + "/files/", lambda _: None)
    assert server.requested == [("/files/toy/model.bin", None)]


def test_refusals_say_what_to_do(server: Server, tmp_path: Path) -> None:
    weights, file = _weights(server, gated=True)
    server.status = 401
    with pytest.raises(DownloadFailed, match=f"accept the terms at {server.address}, then set HF_TOKEN"):
        download(weights, file, tmp_path, None, lambda _: None)
    server.status = 404
    with pytest.raises(DownloadFailed, match="the server answered 404"):
        download(weights, file, tmp_path, None, lambda _: None)
    with pytest.raises(DownloadFailed, match="run the same command again"):
        download(weights, file, tmp_path, "http://127.0.0.1:9", lambda _: None)
    with pytest.raises(DownloadFailed, match="not an address"):
        download(weights, file, tmp_path, "http://host:port", lambda _: None)


def test_the_users_token_goes_to_the_gated_source_alone(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    source = "https://huggingface.co/owner/name/resolve/commit/model.bin"
    gated, open_ = _weights(server, gated=True)[0], _weights(server)[0]
    assert request_headers(gated, source) == {"Authorization": "Bearer secret"}
    for weights, url in (
        (open_, source),
        (gated, source.replace("https", "http")),
        (gated, source.replace("huggingface.co", "huggingface.co.evil.org")),
        (gated, "http://mirror/sam3/model.bin"),
    ):
        assert request_headers(weights, url) == {}
    download(gated, gated.files[0], tmp_path, server.address, lambda _: None)
    assert server.tokens == [None]
    monkeypatch.setenv("HF_TOKEN", "“secret”")
    with pytest.raises(DownloadFailed, match="HF_TOKEN is no token"):
        request_headers(gated, source)
