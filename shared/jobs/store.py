"""Which store there is: Redis Streams when REDIS_URL is set, else SQLite in DATA_DIR."""

from shared.jobs.job import JobStore
from shared.jobs.rules import LEASE_S
from shared.jobs.sqlite import SqliteStore
from shared.settings import SharedSettings


def open_store(settings: SharedSettings, lease_s: float = LEASE_S) -> JobStore:
    if settings.redis_url is not None:
        from shared.jobs.redis_streams import RedisStore

        store = RedisStore(settings.redis_url.get_secret_value(), lease_s)
        store.check_durability()
        return store
    return SqliteStore(settings.data_dir / "jobs.db", lease_s)
