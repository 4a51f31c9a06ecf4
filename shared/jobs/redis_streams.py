"""Jobs in Redis, for workers and services on several machines. Redis 6.2 or newer.

    jobs:job:<id>             the job, JSON
    jobs:notes:<id>           list of what happened to it
    jobs:stream:<queue>       one entry per job that waits or runs; its group hands each entry to one worker
    jobs:waiting:<queue>      sorted set of ids by place, for positions
    jobs:owned:<queue> <owner>
                              sorted set of an owner's ids
    jobs:idempotent:<owner>   hash: Idempotency-Key -> id
    jobs:recent:<owner> <fingerprint>
                              the newest id, for an hour
    jobs:place                the last place that was given out

An entry that was handed out stays pending until the job ends or pauses, and is acknowledged in the transaction that
says so; one whose worker has been silent for the lease is handed out again (XAUTOCLAIM). Run Redis with
`appendonly yes` and `appendfsync always`, else a power cut may take the last second of jobs along.
"""

import json
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, TypeVar, cast

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as NoAnswer
from redis.retry import Retry

from shared.errors import NotReady
from shared.jobs import rules
from shared.jobs.job import Change, Job, Note, Rule, read_job, unknown_job, write_job

log = logging.getLogger(__name__)
GROUP = CONSUMER = "workers"
"""Whose an entry is says the job's token; the stream need not tell workers apart."""
RECENT_S = 3600
AT_ONCE_MS = 10**9
"""Idle for so long: the next look hands it out."""
Made = TypeVar("Made")


class RedisStore:
    def __init__(self, url: str, lease_s: float = rules.LEASE_S) -> None:
        self.lease_s = lease_s
        self.redis: Any = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            decode_responses=True,
            socket_timeout=5.0,
            socket_connect_timeout=2.0,
            retry=Retry(ConstantBackoff(0.05), 1),  # a connection that the server closed is made anew
        )
        self.grouped: set[str] = set()

    def close(self) -> None:
        self.redis.close()

    def check_durability(self) -> None:
        """Says in the log when Redis may forget what it acknowledged."""
        try:
            found = self.redis.config_get("append*")
        except (ResponseError, NoConnection, NoAnswer):  # not every server lets one ask
            return
        if (found.get("appendonly"), found.get("appendfsync")) != ("yes", "always"):
            log.warning("Redis may lose jobs in a power cut: set `appendonly yes` and `appendfsync always`")

    def add(self, job: Job, note: Note) -> Job:
        keys = f"jobs:idempotent:{job.owner}"

        def put(pipe: Any) -> Job:
            old = pipe.hget(keys, job.idempotency) if job.idempotency else None
            if old:
                return read_job(pipe.get(_key(old)))
            placed = replace(job, place=int(pipe.incr("jobs:place")))
            pipe.multi()
            if job.idempotency:
                pipe.hset(keys, job.idempotency, job.id)
            pipe.set(f"jobs:recent:{job.owner} {job.fingerprint}", job.id, ex=RECENT_S)
            pipe.zadd(f"jobs:owned:{job.queue} {job.owner}", {job.id: placed.place})
            _write(pipe, replace(placed, place=0), Change(placed, note))
            return placed

        self._prepare(job.queue)
        return self._transact(put, keys)

    def get(self, id: str) -> Job:
        with _translated():
            return self._read(self.redis.get(_key(id)), id)

    def page(self, queue: str, owner: str, after: str | None, limit: int) -> tuple[list[Job], bool]:
        owned, start = f"jobs:owned:{queue} {owner}", 0
        with _translated():
            if after is not None:
                rank = self.redis.zrevrank(owned, after)
                if rank is None:
                    raise unknown_job(after, "after")
                start = rank + 1
            ids = self.redis.zrevrange(owned, start, start + limit)
            texts: list[str] = self.redis.mget([_key(id) for id in ids]) if ids else []
        return [read_job(text) for text in texts[:limit]], len(ids) > limit

    def find_idempotent(self, owner: str, idempotency: str) -> Job | None:
        with _translated():
            id = self.redis.hget(f"jobs:idempotent:{owner}", idempotency)
        return self.get(id) if id else None

    def find_recent(self, owner: str, fingerprint: str, since: float) -> Job | None:
        with _translated():
            id = self.redis.get(f"jobs:recent:{owner} {fingerprint}")
        job = self.get(id) if id else None
        return job if job and job.created >= since else None

    def position(self, job: Job) -> int | None:
        with _translated():
            rank = self.redis.zrank(f"jobs:waiting:{job.queue}", job.id)
        return None if rank is None else rank + 1

    def notes(self, id: str) -> list[Note]:
        with _translated():
            return [Note(**json.loads(line)) for line in self.redis.lrange(f"jobs:notes:{id}", 0, -1)]

    def apply(self, id: str, rule: Rule) -> Job:
        def change(pipe: Any) -> Job:
            old = self._read(pipe.get(_key(id)), id)
            changed = rule(old, lambda: int(pipe.incr("jobs:place")))
            pipe.multi()
            _write(pipe, old, changed)
            return changed.job

        return self._transact(change, _key(id))

    def claim(self, queue: str, worker: str) -> Job | None:
        self._prepare(queue)
        while entry := self._next(f"jobs:stream:{queue}"):
            job = self._take(queue, worker, *entry)
            if job is not None and job.state == "running":
                return job
        return None

    def _next(self, stream: str) -> tuple[str, dict[str, str]] | None:
        """An entry whose worker has been silent, else the first that nobody was given."""
        with _translated():
            cursor = "0-0"
            while True:
                cursor, found, *_ = self.redis.xautoclaim(
                    stream, GROUP, CONSUMER, int(self.lease_s * 1000), cursor, count=1
                )
                if found:
                    return found[0]
                if cursor == "0-0":
                    break
            read = self.redis.xreadgroup(GROUP, CONSUMER, {stream: ">"}, count=1)
        entries = [entry for _, batch in _pairs(read) for entry in batch]
        return entries[0] if entries else None

    def _take(self, queue: str, worker: str, receipt: str, fields: dict[str, str]) -> Job | None:
        """None when the entry is not the job's any more: it was cancelled, paused, or queued anew."""

        def take(pipe: Any) -> Job | None:
            text = pipe.get(_key(fields["id"]))
            old = read_job(text) if text else None
            waits = old is not None and old.state == "queued"
            died = old is not None and old.state == "running" and old.receipt == receipt
            pipe.multi()
            if old is None or not (waits or died) or str(old.place) != fields["place"]:
                _drop(pipe, f"jobs:stream:{queue}", receipt)
                return None
            changed = rules.claim(worker, receipt, self.lease_s)(replace(old, receipt=receipt), lambda: old.place)
            _write(pipe, replace(old, receipt=receipt), changed)
            return changed.job

        return self._transact(take, _key(fields["id"]))

    def _transact(self, change: Callable[[Any], Made], *watched: str) -> Made:
        """`change` reads, calls multi() and writes; it is called again when a watched key changed meanwhile."""
        with _translated():
            return self.redis.transaction(change, *watched, value_from_callable=True)

    def _prepare(self, queue: str) -> None:
        """The queue's stream and group, made once."""
        if queue in self.grouped:
            return
        stream = f"jobs:stream:{queue}"
        with _translated():
            if not self._has_group(stream):
                try:
                    self.redis.xgroup_create(stream, GROUP, id="0", mkstream=True)
                except ResponseError:
                    if not self._has_group(stream):  # else another process was faster
                        raise
        self.grouped.add(queue)

    def _has_group(self, stream: str) -> bool:
        return bool(self.redis.exists(stream)) and any(
            group["name"] == GROUP for group in self.redis.xinfo_groups(stream)
        )

    def _read(self, text: str | None, id: str) -> Job:
        if text is None:
            raise unknown_job(id)
        return read_job(text)


def _write(pipe: Any, old: Job, change: Change) -> None:
    """The job as it becomes, its note, and what follows for stream and positions: all in the caller's transaction."""
    job = change.job
    stream, waiting = f"jobs:stream:{job.queue}", f"jobs:waiting:{job.queue}"
    pipe.set(_key(job.id), write_job(job))
    if change.note:
        pipe.rpush(f"jobs:notes:{job.id}", json.dumps(asdict(change.note)))
    if job.state == "queued":
        pipe.zadd(waiting, {job.id: job.place})
    else:
        pipe.zrem(waiting, job.id)
    if job.state == "queued" and job.place != old.place:
        pipe.xadd(stream, {"id": job.id, "place": job.place})
    elif job.state == "queued" and old.state == "running":
        pipe.xclaim(stream, GROUP, CONSUMER, 0, [job.receipt], idle=AT_ONCE_MS, justid=True)
    elif job.state == "running":
        pipe.xclaim(stream, GROUP, CONSUMER, 0, [job.receipt], justid=True)  # idle since now
    elif old.receipt:
        _drop(pipe, stream, old.receipt)


def _drop(pipe: Any, stream: str, receipt: str) -> None:
    pipe.xack(stream, GROUP, receipt)
    pipe.xdel(stream, receipt)


def _key(id: str) -> str:
    return f"jobs:job:{id}"


def _pairs(read: Any) -> list[tuple[str, list[Any]]]:
    """What XREADGROUP answered, as RESP2 and RESP3 have it."""
    if isinstance(read, dict):
        return [(name, [entry for batch in batches for entry in batch]) for name, batches in cast(Any, read).items()]
    return read or []


@contextmanager
def _translated() -> Generator[None]:
    """The client's errors as ours."""
    try:
        yield
    except (NoConnection, NoAnswer, ReadOnlyError) as error:
        raise NotReady("the job store (Redis) cannot be reached", retry_after_s=2) from error
