"""What goes wrong at an address, in one line: which address, why, and what to do; without credentials."""

import os
import re

from core.addresses.address import protocol_of
from core.addresses.remote import AddressError, Interrupted, NotThere

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or an AWS profile; for a public bucket FSSPEC_S3_ANON=true",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`; or FSSPEC_GS_TOKEN=anon",
    "az": "AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or _SAS_TOKEN; or FSSPEC_AZ_ANON=true",
    "hf": "HF_TOKEN, or `hf auth login`",
    "https": "a .netrc file",
    "http": "a .netrc file",
}
_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)
_LONGEST = 300
_CASES = (
    (r"expiredtoken|token.{0,20}expired|credentials.{0,20}expired", "its credentials have expired: {credentials}"),
    (r"nocredentials|unable to locate credentials|no credentials|defaultcredentials|must provide either a connection",
     "no credentials were found: give {credentials}"),
    (r"permanentredirect|authorizationheadermalformed|wrong region|illegallocationconstraint|region is wrong",
     "it is in another region: set AWS_DEFAULT_REGION to that of the bucket"),
    (r"invalidaccesskeyid|signaturedoesnotmatch|invalidtoken|\b401\b|unauthenticated|unauthorized",
     "its credentials are refused: check {credentials}"),
    (r"accessdenied|access denied|forbidden|\b403\b|permission",
     "no permission: check what {credentials} may do there"),
    (r"bad request", "it was refused without a reason: check {credentials}, whether they have expired, and the region"),
)  # fmt: skip
_TRANSIENT = re.compile(
    r"timed? ?out|timeout|connection|incompleteread|payload|\b50[0234]\b|slowdown|internalerror|service ?unavailable|"
    r"reset|\beof\b|disconnected|broken pipe|endpoint",
    re.IGNORECASE,
)


def explained(address: str, error: BaseException) -> AddressError:
    """An error of a library as one of ours."""
    if isinstance(error, AddressError):
        return error
    if isinstance(error, FileNotFoundError):
        return NotThere(f"{address}: there is no such object, or no such bucket")
    text = f"{type(error).__name__}: {error}".replace(address, "").replace(address.partition("://")[2], "")
    text = re.sub(r"https?://\S+", "", text)  # numbers in there say nothing
    credentials = _CREDENTIALS.get(protocol_of(address), "its credentials")
    for pattern, wording in _CASES:
        if re.search(pattern, text, re.IGNORECASE):
            return AddressError(f"{address}: {wording.format(credentials=credentials)}")
    kind = Interrupted if _TRANSIENT.search(text) else AddressError
    return kind(f"{address}: {without_secrets(text)}")


def without_secrets(text: str) -> str:
    """A text without the values of the environment's credentials, and without the queries of addresses."""
    for name, value in os.environ.items():
        if _NAMES.search(name) and len(value) > 4:
            text = text.replace(value, "…")
    return " ".join(re.sub(r"(https?://[^\s?'\"]+)\?[^\s'\"]*", r"\1", text).split())[:_LONGEST]
