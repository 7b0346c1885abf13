"""Inputs at addresses: fetched ahead, but not too far; held while they are needed; of the content that keys name."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from at_addresses import other_machine
from remote_servers import WebServer, web_server
from waiting import wait_until

from core.addresses.cache import LIMIT_VARIABLE
from core.addresses.remote import AddressError
from core.addresses.web import TRUSTED
from tasks.elsewhere import begin_run, fetch_cache, look, videos_at
from tasks.inputs import Content, Files
from tasks.items import Item
from tasks.store import RunStore


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    other_machine(tmp_path / "machine", monkeypatch)
    with web_server() as found:
        monkeypatch.setenv(TRUSTED, found.host)
        found.files = {f"/{number}.mp4": b"%d" % number * 1000 for number in range(80)}
        yield found


def _item(server: WebServer, number: int, **more: Any) -> Item:
    return Item(f"item {number}", {}, {"video": f"{server.url}/{number}.mp4"}, 1000.0, **more)


def _quiet(done: int, expected: int | None) -> None:
    pass


def test_so_many_are_here_before_they_are_made_and_no_more(server: WebServer, tmp_path: Path) -> None:
    content, made = Content(RunStore(tmp_path), "video"), threading.Event()
    here: list[Item] = []

    def fetch_all() -> None:
        here.extend(content.identify(_item(server, number), _quiet) for number in range(80))
        made.set()

    thread = threading.Thread(target=fetch_all)
    thread.start()
    wait_until(lambda: len(here) == 64, "the first to be here")
    assert not made.wait(0.5)
    for number in range(16):
        content.release(_item(server, number))
        content.release(_item(server, number))  # twice does no harm
    assert made.wait(30)
    thread.join()
    assert len({one.inputs["video"] for one in here}) == 80
    assert sum(one.in_use for one in fetch_cache().objects()) == 64


def test_items_that_wait_for_others_do_not_take_their_place(server: WebServer, tmp_path: Path) -> None:
    files = Files(RunStore(tmp_path), "video")
    first = _item(server, 0)
    chain = [first]
    for number in range(1, 80):
        chain.append(_item(server, number, after=chain[-1]))
    for item in reversed(chain):
        files.supply(item, _quiet)
    for item in chain:
        files.release(item)
    assert not any(one.in_use for one in fetch_cache().objects())


def test_what_changes_after_its_key_was_made_is_not_used(server: WebServer, tmp_path: Path) -> None:
    content = Content(RunStore(tmp_path), "video")
    known = content.identify(_item(server, 1), _quiet)
    content.release(known)
    server.files["/1.mp4"] = b"another"
    asked_again = replace(known, request=_item(server, 1).request)
    with pytest.raises(AddressError, match="it has changed since this run began"):
        content.supply(asked_again, _quiet)
    files = Files(RunStore(tmp_path), "video", {"item 1": known.inputs["video"]})
    with pytest.raises(AddressError, match="it has changed since this run began"):
        files.supply(_item(server, 1), _quiet)
    assert not any(one.in_use for one in fetch_cache().objects())


def test_a_new_run_asks_again(server: WebServer) -> None:
    address = f"{server.url}/1.mp4"
    assert look([address, f"{server.url}/none.mp4"]) == {
        address: 1000,
        f"{server.url}/none.mp4": "there is no such file",
    }
    server.files["/1.mp4"] = b"x"
    assert look([address])[address] == 1000
    begin_run()
    assert look([address])[address] == 1


def test_a_small_cache_still_lets_each_slot_have_its_file(
    server: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LIMIT_VARIABLE, "0.000001")  # a kilobyte
    fetch_cache.cache_clear()
    content = Content(RunStore(tmp_path), "video")
    content.slots = 4
    here = [content.identify(_item(server, number), _quiet) for number in range(8)]
    assert all(Path(one.request["video"]).exists() for one in here)
    for item in here:
        content.release(item)


def test_folders_of_videos_and_of_images(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    other_machine(tmp_path / "machine", monkeypatch)
    files = fsspec.filesystem("s3")
    for name in ("a/2.mp4", "a/10.mp4", "a/deep/3.mp4", "images/1.jpg", "images/2.jpg", "odd [id].mp4", "notes/x.txt"):
        files.pipe_file(f"{bucket}/{name}", name.encode())
    assert videos_at(f"{bucket}/a") == [f"{bucket}/a/2.mp4", f"{bucket}/a/10.mp4"]
    assert videos_at(f"{bucket}/a/**/*.mp4") == [f"{bucket}/a/2.mp4", f"{bucket}/a/10.mp4", f"{bucket}/a/deep/3.mp4"]
    assert videos_at(f"{bucket}/images/") == [f"{bucket}/images"]
    assert videos_at(f"{bucket}/odd [id].mp4") == [f"{bucket}/odd [id].mp4"]
    with pytest.raises(AddressError, match="no video and no image directly there"):
        videos_at(f"{bucket}/notes")
