"""An S3 server for the tests in this folder."""

from collections.abc import Iterator

import pytest
from remote_servers import s3_server


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with s3_server() as url:
        yield url
