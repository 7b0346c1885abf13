"""Object storage: a real S3 server on this machine (moto's)."""

import hashlib
import os
from pathlib import Path

import pytest

from core.addresses.cache import FetchCache
from core.addresses.fetching import fetch
from core.addresses.object_store import ObjectStore
from core.addresses.remote import AddressError, NotThere

DATA = os.urandom(17 * 2**20)


def test_what_was_written_is_read_listed_and_removed(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore("s3")
    (tmp_path / "a.mp4").write_bytes(DATA)
    for name in ("day/a.mp4", "day/b.mp4", "day/c.txt", "night/a.mp4"):
        store.write(tmp_path / "a.mp4", f"{bucket}/{name}")
    assert [one.address for one in store.matching(f"{bucket}/day/*.mp4")] == [
        f"{bucket}/day/a.mp4",
        f"{bucket}/day/b.mp4",
    ]
    assert [one.address for one in store.below(f"{bucket}/night/")] == [f"{bucket}/night/a.mp4"]
    assert len(store.matching(f"{bucket}/**/*.mp4")) == 3
    assert store.below(f"{bucket}/nothing") == []
    assert store.matching(f"{bucket}/nothing/*.mp4") == []
    file = store.info(f"{bucket}/day/a.mp4")
    assert (file.size, bool(file.version)) == (len(DATA), True)
    found = fetch(FetchCache(tmp_path / "cache", 2**40), store, file.address, lambda done, expected: None)
    assert found.path.read_bytes() == DATA
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    store.remove(file.address)
    store.remove(file.address)
    with pytest.raises(NotThere, match="there is no such object"):
        store.info(file.address)


def test_an_object_that_changes_while_it_is_read_is_read_anew(bucket: str, tmp_path: Path) -> None:
    store = ObjectStore("s3")
    address, new = f"{bucket}/a.mp4", DATA[::-1]
    (tmp_path / "old").write_bytes(DATA)
    (tmp_path / "new").write_bytes(new)
    store.write(tmp_path / "old", address)
    changed: list[int] = []

    def report(done: int, expected: int | None) -> None:
        if not changed:
            changed.append(done)
            store.write(tmp_path / "new", address)

    found = fetch(FetchCache(tmp_path / "cache", 2**40), store, address, report)
    assert found.path.read_bytes() == new


@pytest.mark.parametrize("address", ["{bucket}/none.mp4", "s3://no-such-bucket-at-all/a.mp4"])
def test_what_is_not_there_is_named(address: str, bucket: str) -> None:
    with pytest.raises(NotThere, match=r"^s3://.+: there is no such object, or no such bucket"):
        ObjectStore("s3").info(address.format(bucket=bucket))


def test_without_credentials_it_says_what_to_give(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    import fsspec

    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(AddressError, match=r"no credentials were found: give AWS_ACCESS_KEY_ID and"):
        ObjectStore("s3").info(f"{bucket}/a.mp4")
    fsspec.filesystem("s3").clear_instance_cache()
