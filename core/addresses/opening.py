"""Which `Remote` an address belongs to."""

import threading

from core.addresses.address import PROTOCOLS, WEB, protocol_of
from core.addresses.object_store import ObjectStore
from core.addresses.remote import AddressError, Remote
from core.addresses.web import Web

_remotes: dict[str, Remote] = {}
_opening = threading.Lock()


def remote_of(address: str) -> Remote:
    """One for each protocol and process. Raises `AddressError` for other protocols, and where a package is missing."""
    if protocol_of(address) not in (*PROTOCOLS, *WEB):
        raise AddressError(
            f"{address}: this protocol is not accepted, only {', '.join(f'{one}://' for one in PROTOCOLS)}"
        )
    protocol = "https" if protocol_of(address) in WEB else protocol_of(address)
    with _opening:
        if protocol not in _remotes:
            _remotes[protocol] = Web() if protocol == "https" else ObjectStore(protocol)
        return _remotes[protocol]
