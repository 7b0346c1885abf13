"""What tests of addresses share: another machine, a bucket's files, and whether they are those of a run in folders."""

from pathlib import Path

import fsspec
import pytest
from running import Done, maskflow

from benchmarks.injection_flows import Case
from core.addresses.cache import FOLDER_VARIABLE
from tasks.elsewhere import begin_run, fetch_cache

_COMPARED = {".jsonl", ".json", ".npz", ".pth", ".png", ".bin", ".ply", ".txt", ".csv"}


def other_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on nothing is here of what was fetched or made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "fetched"))
    fetch_cache.cache_clear()
    begin_run()


def upload(folder: Path, address: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.suffix == ".txt":
                data = data.replace(f"{folder}/".encode(), b"")  # names beside the list
            fsspec.filesystem("s3").pipe_file(f"{address}/{path.relative_to(folder)}", data)


def download(address: str, folder: Path) -> None:
    files = fsspec.filesystem("s3")
    for name in files.find(address):
        below = name.removeprefix(address.removeprefix("s3://") + "/")
        if ".maskflow" not in below:
            (folder / below).parent.mkdir(parents=True, exist_ok=True)
            (folder / below).write_bytes(files.cat_file(name))


def files(folder: Path, *places: str) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if (
            path.suffix in _COMPARED
            and not any(part[0] == "." for part in name.parts)
            and not path.name.endswith("command.json")
        ):
            content = path.read_bytes()
            for place in places:
                content = content.replace(place.encode(), b"PLACE")
            found[name.as_posix()] = content
    return found


def run_case(case: Case, place: Path, inputs: str, output: str) -> Done:
    arguments = [one.replace(str(place), inputs) for one in case.arguments]
    done = maskflow(*arguments, *(one.replace("OUT", output, 1) for one in case.output(Path("OUT"))))
    assert done.code == 0, done.err
    return done


def is_as_local(case: Case, place: Path, address: str, output: str, tmp_path: Path) -> None:
    """Run it from folders to a folder, and compare."""
    local = tmp_path / "local"
    run_case(case, place, str(place), str(local))
    download(output, tmp_path / "delivered")
    expected = files(local, str(local), str(place))
    delivered = files(tmp_path / "delivered", output, address)
    assert sorted(delivered) == sorted(expected)
    assert [name for name in expected if delivered[name] != expected[name]] == []
    assert len(expected) > 1
