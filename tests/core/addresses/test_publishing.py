"""What is delivered to an address: all of it, nothing of others' lost, and repaired where it was spoilt."""

from pathlib import Path

from core.addresses.object_store import ObjectStore
from core.addresses.publishing import RemoteState, deliver_folder
from core.store.digests import DigestCache
from core.store.manifest import MANIFEST, commit_item, read_valid


def _deliver(bucket: str, folder: Path, **files: str) -> dict[str, str]:
    for path in folder.glob("[!.]*"):
        path.unlink()
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text(text)
    return deliver_folder(ObjectStore("s3"), f"{bucket}/out", folder, DigestCache(folder.with_suffix(".json")))


def _there(bucket: str) -> dict[str, str]:
    store = ObjectStore("s3")
    root = f"{bucket}/out/"
    return {
        one.address.removeprefix(root): b"".join(piece for _, piece in store.read(one, 0)).decode()
        for one in store.below(root)
        if ".maskflow" not in one.address
    }


def test_machines_that_deliver_to_one_place_leave_each_others_files(bucket: str, tmp_path: Path) -> None:
    assert _deliver(bucket, tmp_path / "a", person="1", both="a") == {}
    assert _deliver(bucket, tmp_path / "b", car="2", both="b") == {}
    assert _there(bucket) == {"person.txt": "1", "car.txt": "2", "both.txt": "b"}
    _deliver(bucket, tmp_path / "a", both="a")  # what it does not make any more goes
    assert _there(bucket) == {"car.txt": "2", "both.txt": "a"}


def test_what_was_deleted_there_is_delivered_again(bucket: str, tmp_path: Path) -> None:
    _deliver(bucket, tmp_path / "a", person="1")
    ObjectStore("s3").remove(f"{bucket}/out/person.txt")
    _deliver(bucket, tmp_path / "a", person="1")
    assert _there(bucket) == {"person.txt": "1"}


def _item(folder: Path, text: str) -> Path:
    with commit_item(folder, "key", {}) as draft:
        (draft.folder / "data.txt").write_text(text)
    return folder


def test_an_item_that_was_spoilt_there_is_made_and_delivered_anew(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore("s3")
    item = _item(tmp_path / "a" / "item", "right")
    RemoteState(store, f"{bucket}/out").push("track", item)
    (tmp_path / "spoilt").write_text("wrong")
    store.write(tmp_path / "spoilt", f"{bucket}/out/.maskflow/track/item/data.txt")

    other = RemoteState(store, f"{bucket}/out")
    folder = tmp_path / "b" / "item"
    assert other.pull("track", folder)
    assert read_valid(folder, "key") is None
    other.forget("track", folder)
    _item(folder, "right")
    other.push("track", folder)
    third = tmp_path / "c" / "item"
    assert RemoteState(store, f"{bucket}/out").pull("track", third)
    assert read_valid(third, "key") is not None


def test_an_item_without_its_manifest_is_not_there(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore("s3")
    RemoteState(store, f"{bucket}/out").push("track", _item(tmp_path / "item", "right"))
    store.remove(f"{bucket}/out/.maskflow/track/item/{MANIFEST}")
    state = RemoteState(store, f"{bucket}/out")
    assert not state.pull("track", tmp_path / "other")
    assert not state.pull("track", tmp_path / "item", look=True)


def test_names_with_brackets_are_names(bucket: str, tmp_path: Path) -> None:
    state = RemoteState(ObjectStore("s3"), f"{bucket}/out [1]")
    state.push("track", _item(tmp_path / "item", "right"))
    assert RemoteState(ObjectStore("s3"), f"{bucket}/out [1]").pull("track", tmp_path / "there" / "item")
