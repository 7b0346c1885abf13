"""For the temporary server: a statement that meets a locked SQLite gives up after seconds, not after a minute."""

from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import set_database_config
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_BUSY_MS = 5000


class QuickConfiguration(AioSqliteConfiguration):
    """Prefect's, but for `PRAGMA busy_timeout`, which it sets to 60 s.

    Two transactions that wait for each other hold a run up as long. One that gives up is answered with HTTP 503, and
    its client comes back at once (see `retry_soon`).
    """

    def setup_sqlite(self, conn: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        """See `AioSqliteConfiguration.setup_sqlite`."""
        super().setup_sqlite(conn, record)
        cursor = conn.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.close()


def give_up_soon() -> None:
    """Have the server of this process use `QuickConfiguration`; before it is made. Other databases stay as they are."""
    url = str(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if url.startswith("sqlite"):
        set_database_config(QuickConfiguration(connection_url=url))
