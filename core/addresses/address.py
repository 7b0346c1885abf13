"""What is an address, and which are accepted."""

import re
from pathlib import PurePath
from urllib.parse import parse_qsl, urlsplit

from core.errors import RefusedInput

PROTOCOLS = ("s3", "gs", "az", "https", "hf")
WEB = ("https", "http")
_ACCEPTED = f"a path, or an address with {', '.join(f'{one}://' for one in PROTOCOLS)}"
_SECRET = re.compile(
    r"^(key|auth|sig)$|signature|access_?key|token|secret|password|credential|api_?key|awsaccesskeyid|security",
    re.IGNORECASE,
)
# A Path holds `s3://bucket/x` as `s3:/bucket/x`; a drive of Windows has one letter.
_FORM = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,2}(?=[^/])")


def as_address(text: "str | PurePath") -> str | None:
    """An address, in its usual form, from a text or from the path that it has been made into; None: it is a path."""
    match = _FORM.match(str(text))
    return None if match is None else f"{match[1].lower()}://{str(text)[match.end() :]}"


def is_address(text: "str | PurePath") -> bool:
    """Whether this is an address, of any protocol, and no path."""
    return as_address(text) is not None


def protocol_of(address: str) -> str:
    """What an address begins with."""
    return address.partition("://")[0]


def check_address(parameter: str, text: "str | PurePath") -> str:
    """An address that may be used.

    Raises:
        RefusedInput: another protocol, no bucket or host, or with credentials in it: those come from the environment
            or the usual files, since parameters are shown and kept.
    """
    address = as_address(text)
    if address is None or protocol_of(address) not in (*PROTOCOLS, "http"):
        raise RefusedInput.of(parameter, address or str(text), _ACCEPTED)
    if not _is_whole(address):
        raise RefusedInput.of(parameter, address, _ACCEPTED)
    check_no_credentials(parameter, address)
    return address


def check_no_credentials(parameter: str, address: str) -> None:
    """Raises `RefusedInput`, without them, where there are some in an address."""
    if not _is_whole(address):
        return
    parts = urlsplit(address)
    if "@" in parts.netloc or any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        hidden = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        raise RefusedInput.of(
            parameter, hidden, "an address without credentials: they come from the environment or the usual files"
        )


def _is_whole(address: str) -> bool:
    """Whether there is a bucket or host in it, and it can be read at all."""
    try:
        parts = urlsplit(address)
        return bool(parts.netloc) and (protocol_of(address) not in WEB or parts.port != 0)
    except ValueError:
        return False


def name_of(address: str) -> str:
    """The last part of an address's path: the file's name."""
    path = address if protocol_of(address) not in WEB else urlsplit(address).path
    return path.rstrip("/").rpartition("/")[2] or "file"


def joined(address: str, *names: str) -> str:
    """An address below another."""
    return "/".join([address.rstrip("/"), *names])
