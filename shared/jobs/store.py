"""Which store there is: SQLite in DATA_DIR."""

from shared.jobs.job import JobStore
from shared.jobs.rules import LEASE_S
from shared.jobs.sqlite import SqliteStore
from shared.settings import SharedSettings


def open_store(settings: SharedSettings, lease_s: float = LEASE_S) -> JobStore:
    return SqliteStore(settings.data_dir / "jobs.db", lease_s)
