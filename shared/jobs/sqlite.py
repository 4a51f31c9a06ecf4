"""Jobs in one SQLite file: write-ahead log, synchronous=FULL, so that what was answered survives a power cut."""

import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from shared.errors import NotReady, StorageFull
from shared.jobs import rules
from shared.jobs.job import Change, Job, Note, Rule, read_job, unknown_job, write_job

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    owner TEXT NOT NULL,
    created REAL NOT NULL,
    fingerprint TEXT NOT NULL,
    idempotency TEXT,
    state TEXT NOT NULL,
    place INTEGER NOT NULL,
    lease REAL NOT NULL,
    job TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (queue, owner, number);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (queue, state, place);
CREATE INDEX IF NOT EXISTS jobs_by_place ON jobs (place);
CREATE INDEX IF NOT EXISTS jobs_by_fingerprint ON jobs (owner, fingerprint, created);
CREATE UNIQUE INDEX IF NOT EXISTS jobs_by_idempotency ON jobs (owner, idempotency) WHERE idempotency IS NOT NULL;
CREATE TABLE IF NOT EXISTS notes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    time REAL NOT NULL,
    level TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_by_job ON notes (job, number);
"""
NEXT = """
SELECT job FROM jobs
WHERE queue = ?1 AND (state = 'queued' OR (state = 'running' AND lease < ?2))
ORDER BY place LIMIT 1
"""
BUSY_S = 10.0


class SqliteStore:
    """Several processes may open the same file; threads of one share a connection, one at a time."""

    def __init__(self, path: Path, lease_s: float = rules.LEASE_S) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lease_s = lease_s
        self.lock = threading.Lock()
        self.db = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=FULL")
        self.db.executescript(SCHEMA)

    def close(self) -> None:
        self.db.close()

    def add(self, job: Job, note: Note) -> Job:
        with self._writing() as db:
            if job.idempotency and (old := self._idempotent(job.owner, job.idempotency)):
                return old
            job = replace(job, place=self._end())
            columns = (job.id, job.queue, job.owner, job.created, job.fingerprint, job.idempotency)
            db.execute(
                "INSERT INTO jobs (id, queue, owner, created, fingerprint, idempotency, state, place, lease, job)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*columns, job.state, job.place, job.lease, write_job(job)),
            )
            self._note(job.id, note)
        return job

    def get(self, id: str) -> Job:
        with self._reading():
            return self._get(id)

    def page(self, queue: str, owner: str, after: str | None, limit: int) -> tuple[list[Job], bool]:
        with self._reading() as db:
            where, values = "queue = ? AND owner = ?", [queue, owner]
            if after is not None:
                row = db.execute("SELECT number FROM jobs WHERE id = ? AND owner = ?", (after, owner)).fetchone()
                if row is None:
                    raise unknown_job(after, "after")
                where, values = f"{where} AND number < ?", [*values, row[0]]
            query = f"SELECT job FROM jobs WHERE {where} ORDER BY number DESC LIMIT ?"
            found = [read_job(row[0]) for row in db.execute(query, (*values, limit + 1))]
        return found[:limit], len(found) > limit

    def find_idempotent(self, owner: str, idempotency: str) -> Job | None:
        with self._reading():
            return self._idempotent(owner, idempotency)

    def find_recent(self, owner: str, fingerprint: str, since: float) -> Job | None:
        query = "SELECT job FROM jobs WHERE owner = ? AND fingerprint = ? AND created >= ? ORDER BY number DESC LIMIT 1"
        with self._reading() as db:
            row = db.execute(query, (owner, fingerprint, since)).fetchone()
        return read_job(row[0]) if row else None

    def position(self, job: Job) -> int | None:
        query = "SELECT count(*) FROM jobs WHERE queue = ? AND state = 'queued' AND place < ?"
        with self._reading() as db:
            if self._get(job.id).state != "queued":
                return None
            return 1 + db.execute(query, (job.queue, job.place)).fetchone()[0]

    def notes(self, id: str) -> list[Note]:
        query = "SELECT message, level, time FROM notes WHERE job = ? ORDER BY number"
        with self._reading() as db:
            return [Note(*row) for row in db.execute(query, (id,))]

    def apply(self, id: str, rule: Rule) -> Job:
        with self._writing():
            return self._put(rule(self._get(id), self._end))

    def claim(self, queue: str, worker: str) -> Job | None:
        with self._reading() as db:  # most looks find nothing, and need no lock
            if db.execute(NEXT, (queue, time.time())).fetchone() is None:
                return None
        with self._writing() as db:
            while row := db.execute(NEXT, (queue, time.time())).fetchone():
                job = self._put(rules.claim(worker, "", self.lease_s)(read_job(row[0]), self._end))
                if job.state == "running":
                    return job
        return None

    def _put(self, change: Change) -> Job:
        job = change.job
        self.db.execute(
            "UPDATE jobs SET state = ?, place = ?, lease = ?, job = ? WHERE id = ?",
            (job.state, job.place, job.lease, write_job(job), job.id),
        )
        if change.note:
            self._note(job.id, change.note)
        return job

    def _note(self, id: str, note: Note) -> None:
        query = "INSERT INTO notes (job, time, level, message) VALUES (?, ?, ?, ?)"
        self.db.execute(query, (id, note.time, note.level, note.message))

    def _get(self, id: str) -> Job:
        row = self.db.execute("SELECT job FROM jobs WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise unknown_job(id)
        return read_job(row[0])

    def _idempotent(self, owner: str, idempotency: str) -> Job | None:
        query = "SELECT job FROM jobs WHERE owner = ? AND idempotency = ?"
        row = self.db.execute(query, (owner, idempotency)).fetchone()
        return read_job(row[0]) if row else None

    def _end(self) -> int:
        return self.db.execute("SELECT coalesce(max(place), 0) + 1 FROM jobs").fetchone()[0]

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with self.lock, _translated():
            yield self.db

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """One transaction, from its first look on, so that no other writer comes in between."""
        with self.lock, _translated():
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self.db.execute("COMMIT")


@contextmanager
def _translated() -> Generator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise StorageFull("the disk is full: the job was not kept") from error
        if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise NotReady("the job store is busy", retry_after_s=1) from error
        raise
