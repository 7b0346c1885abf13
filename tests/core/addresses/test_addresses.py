"""What is an address, and what is said of one that cannot be used."""

from pathlib import Path

import pytest

from core.addresses.address import as_address, check_address, is_address, joined, name_of
from core.addresses.remote import AddressError, Interrupted, NotThere
from core.addresses.wording import explained, without_secrets
from core.errors import RefusedInput


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket/a b.mp4", "s3://bucket/a b.mp4"),
        (str(Path("s3://bucket/a.mp4")), "s3://bucket/a.mp4"),
        ("HTTPS://example.org/a?id=3", "https://example.org/a?id=3"),
        ("/a/b.mp4", None),
        ("C:/a.mp4", None),
        ("a:b.mp4", None),
        ("", None),
        ("s3:", None),
        ("ftp://example.org/a", "ftp://example.org/a"),
    ],
)
def test_addresses_are_told_from_paths(text: str, address: str | None) -> None:
    assert as_address(text) == address
    assert is_address(Path(text)) == (address is not None)


@pytest.mark.parametrize(
    ("address", "accepted"),
    [
        ("ftp://example.org/a.mp4", "s3://, gs://, az://, https://, hf://"),
        ("file:///etc/passwd", "a path, or an address"),
        ("https://user:password@example.org/a.mp4", "an address without credentials"),
        ("https://example.org/a.mp4?X-Amz-Signature=abc&X-Amz-Credential=def", "an address without credentials"),
        ("https://account.blob.example.org/a.mp4?sv=1&sig=abc", "an address without credentials"),
    ],
)
def test_what_is_not_accepted_is_refused_without_its_secrets(address: str, accepted: str) -> None:
    with pytest.raises(RefusedInput) as refused:
        check_address("videos", address)
    assert accepted in str(refused.value)
    for secret in ("password", "abc", "def"):
        assert secret not in str(refused.value)


def test_names_and_places_below() -> None:
    assert name_of("https://example.org/videos/a.mp4?id=3") == "a.mp4"
    assert name_of("s3://bucket/walks/") == "walks"
    assert joined("s3://bucket/out/", ".maskflow", "a") == "s3://bucket/out/.maskflow/a"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (FileNotFoundError("b/video403.mp4"), NotThere, "there is no such object"),
        (PermissionError("Access Denied"), AddressError, "no permission: check what AWS_ACCESS_KEY_ID"),
        (PermissionError("The provided token has expired."), AddressError, "its credentials have expired"),
        (OSError(22, "The AWS Access Key Id … InvalidAccessKeyId"), AddressError, "its credentials are refused"),
        (
            OSError("AuthorizationHeaderMalformed: the region is wrong"),
            AddressError,
            "another region",
        ),
        (OSError(22, "Bad Request"), AddressError, "whether they have expired, and the region"),
        (TimeoutError(), Interrupted, "TimeoutError"),
        (ConnectionResetError(104, "reset"), Interrupted, "reset"),
        (RuntimeError("odd"), AddressError, "RuntimeError: odd"),
    ],
)
def test_errors_of_libraries_say_what_to_do(error: Exception, kind: type[AddressError], said: str) -> None:
    found = explained("s3://b/video403.mp4", error)
    assert type(found) is kind
    assert str(found).startswith("s3://b/video403.mp4: ")
    assert said in str(found)


def test_secrets_of_the_environment_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    text = without_secrets("refused wJalrXUtnFEMI at https://b.s3.example.org/a?X-Amz-Signature=1234 \n now")
    assert text == "refused … at https://b.s3.example.org/a now"
