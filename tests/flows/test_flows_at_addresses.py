"""All flows from addresses and to addresses: the same bytes as from and to folders, whatever happens on the way."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from at_addresses import is_as_local, other_machine, run_case, upload
from remote_servers import WebServer, web_server
from running import maskflow
from waiting import wait_until

from benchmarks.injection_flows import FLOWS, make_case
from core.addresses.cache import FOLDER_VARIABLE
from core.addresses.web import TRUSTED


@pytest.fixture(autouse=True)
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other_machine(tmp_path / "machine", monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("flow", FLOWS)
def test_from_and_to_object_storage(flow: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "inputs"
    case = make_case(flow, place)
    upload(place, f"{bucket}/inputs")
    done = run_case(case, place, f"{bucket}/inputs", f"{bucket}/out")
    assert f"{bucket}/out" in done.out
    assert not [line for line in done.out.splitlines() if str(tmp_path) in line and "Show it: sh" not in line]
    is_as_local(case, place, f"{bucket}/inputs", f"{bucket}/out", tmp_path)
    other_machine(tmp_path / "other", monkeypatch)
    again = run_case(case, place, f"{bucket}/inputs", f"{bucket}/out")
    assert again.processed == [], "another machine made again what is in the bucket"
    assert "very-secret-key" not in done.out + done.err + again.out + again.err


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server() as server:
        monkeypatch.setenv(TRUSTED, server.host)
        yield server


def _serve(web: WebServer, place: Path) -> None:
    for path in place.rglob("*.mp4"):
        web.files[f"/{path.relative_to(place)}"] = path.read_bytes()


@pytest.mark.slow
def test_from_the_web_with_everything_that_goes_wrong_there(web: WebServer, tmp_path: Path) -> None:
    case = make_case("track-videos", tmp_path / "inputs")
    _serve(web, tmp_path / "inputs")
    web.faults.ranges = False
    web.faults.cut_after, web.faults.cuts, web.faults.errors = 3000, 3, 2
    web.change_after["/clip1.mp4"] = web.files["/clip1.mp4"]
    (tmp_path / "list.txt").write_text("".join(f"{web.url}/clip{n}.mp4\n" for n in (0, 1, 2, 3, 9)))
    arguments = ["track-videos", "--video-list", tmp_path / "list.txt", "--text-prompt", "red object"]
    done = maskflow(*arguments, "--output-jsonl", tmp_path / "out" / "results.jsonl", "--num-workers", 2)
    assert done.code == 1
    assert f"{web.url}/clip9.mp4: there is no such file" in done.out, done.out
    run_case(case, tmp_path / "inputs", str(tmp_path / "inputs"), str(tmp_path / "local"))
    lines = (tmp_path / "out" / "results.jsonl").read_bytes().replace(web.url.encode(), b"PLACE")
    expected = (tmp_path / "local" / "results.jsonl").read_bytes().replace(str(tmp_path / "inputs").encode(), b"PLACE")
    drawn = [line.partition(b'"annotated_video": ') for line in expected.splitlines()]
    assert lines == b"".join(head + tail.partition(b", ")[2] + b"\n" for head, _, tail in drawn)


@pytest.mark.slow
def test_one_host_is_killed_and_another_goes_on(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "inputs"
    case = make_case("track-videos", place)
    upload(place, f"{bucket}/inputs")
    output = f"{bucket}/out"
    arguments = [one.replace(str(place), f"{bucket}/inputs") for one in case.arguments]
    first = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *arguments, "--output-jsonl", f"{output}/results.jsonl",
         "--output-video-dir", f"{output}/drawn"],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "first"), FOLDER_VARIABLE: str(tmp_path / "first/fetched")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def delivered() -> list[str]:
        files = fsspec.filesystem("s3", use_listings_cache=False)
        files.invalidate_cache()
        return [name for name in files.find(f"{output}/.maskflow/track_video") if name.endswith("manifest.json")]

    wait_until(delivered, "the first item")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    there = len(delivered())
    other_machine(tmp_path / "second", monkeypatch)
    done = run_case(case, place, f"{bucket}/inputs", output)
    assert f"track: {there} of 4 items were there already" in done.err
    is_as_local(case, place, f"{bucket}/inputs", output, tmp_path)


@pytest.mark.slow
def test_what_cannot_be_delivered_fails_alone_and_comes_later(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.addresses import object_store
    from core.addresses.wording import explained

    place = tmp_path / "inputs"
    case = make_case("track-videos", place)
    usual = object_store.ObjectStore.write
    refused: list[str] = []

    def write(self: object_store.ObjectStore, made: Path, address: str) -> None:
        if "track_video" in address and (not refused or refused[0] in address):
            refused.append(address.rpartition("/")[0])
            raise explained(address, PermissionError("AccessDenied"))
        usual(self, made, address)

    monkeypatch.setattr(object_store.ObjectStore, "write", write)
    arguments = [*case.arguments, *(one.replace("OUT", f"{bucket}/out", 1) for one in case.output(Path("OUT")))]
    done = maskflow(*arguments)
    assert done.code == 1
    assert "3 of 4 delivered" in done.out
    assert "made, but not delivered: " in done.out
    assert "no permission: check what AWS_ACCESS_KEY_ID" in done.out
    monkeypatch.setattr(object_store.ObjectStore, "write", usual)
    again = maskflow(*arguments)
    assert again.code == 0
    assert not [name for name in again.processed if name.endswith("mp4")], "it was made again"
    is_as_local(case, place, str(place), f"{bucket}/out", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s3://no-such-bucket-anywhere/*.mp4"], "nothing there matches this pattern"),
        (["ftp://example.org/a.mp4"], "s3://, gs://, az://, https://, hf://"),
        (["http://example.org/a.mp4"], "only https:// is followed"),
        (["https://u:hidden-word@example.org/a.mp4"], "an address without credentials"),
        (["a.mp4", "--prompts", "s3://no-such-bucket-anywhere/p.json"], "there is no such object"),
        (["a.mp4", "--output-jsonl", "https://example.org/results.jsonl"], "an address with s3://, gs://, az://"),
        (["a.mp4", "--output-jsonl", "s3://no-such-bucket-anywhere/results.jsonl"], "no-such-bucket-anywhere"),
    ],
)
def test_what_cannot_be_used_says_so_in_a_line(
    arguments: list[str], said: str, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"")
    text = [] if "--prompts" in arguments else ["--text-prompt", "red"]
    output = [] if "--output-jsonl" in arguments else ["--output-jsonl", "out/results.jsonl"]
    done = maskflow("track-videos", *arguments, *text, *output)
    assert done.code in (1, 2), done.err
    assert said in " ".join((done.out + done.err).split())
    assert "hidden-word" not in done.out + done.err
    assert "Traceback" not in done.err
