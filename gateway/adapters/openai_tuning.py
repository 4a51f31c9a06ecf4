"""Fine-tuning at OpenAI. All keys of the gateway share one account there, so who made which job is kept here.

A training file is ours until a job needs it; then it is uploaded, once. What OpenAI says of a job names our file.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import orjson

from gateway.adapters.openai import build_client, own_headers, translated
from gateway.db import connect
from gateway.settings import Settings
from gateway.tuning import Answer, Asker, Verb
from shared.body import encode
from shared.errors import InvalidRequest, NotFound, UpstreamFailed
from shared.files import FileStore
from shared.http import Transport

SCHEMA = """
CREATE TABLE IF NOT EXISTS openai_jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key_id TEXT NOT NULL,
    created REAL NOT NULL,
    fingerprint TEXT NOT NULL,
    idempotency_key TEXT,
    UNIQUE (key_id, idempotency_key)
);
CREATE TABLE IF NOT EXISTS openai_files (id TEXT PRIMARY KEY, remote TEXT NOT NULL UNIQUE);
"""
FILES = ("training_file", "validation_file")
PURPOSE = "fine-tune"
RETRIED_S = 600.0
POLL_S = 2.0
FINAL = ("succeeded", "failed", "cancelled")


class OpenAITuning:
    """Raises ServiceErrors with OpenAI's status, code and param."""

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.client = build_client(settings, transport)
        self.jobs: Any = self.client.fine_tuning.jobs.with_streaming_response
        self.checkpoints_of: Any = self.client.fine_tuning.jobs.checkpoints.with_streaming_response
        self.db = connect(settings.data_dir / "gateway.db")
        self.db.executescript(SCHEMA)
        self.files = FileStore(settings.data_dir / "files", self.db)
        self.creating = asyncio.Lock()

    async def create(self, asker: Asker, body: Mapping[str, Any]) -> Answer:
        print_of = hashlib.sha256(encode(body)).hexdigest()
        async with self.creating:  # a retry waits until the first try has its row
            if (made := self._made_before(asker, print_of)) is not None:
                return await self.get(asker, made)
            sent = dict(body)
            for name in FILES:
                if body.get(name) is not None:
                    sent[name] = await self._upload(asker, str(body[name]), name)
            needed = {name: sent.pop(name) for name in ("model", "training_file")}
            job = await self._answer(self.jobs.create(**needed, extra_body=sent, extra_headers=own_headers()))
            row = (job["id"], asker.key.id, time.time(), print_of, asker.idempotency_key)
            with self.db:
                columns = "id, key_id, created, fingerprint, idempotency_key"
                self.db.execute(f"INSERT INTO openai_jobs ({columns}) VALUES (?, ?, ?, ?, ?)", row)
        return self._shown(job)

    def _made_before(self, asker: Asker, print_of: str) -> str | None:
        """The id of the job that this request made already. Raises InvalidRequest for another request's key."""
        if asker.idempotency_key:
            where = "key_id = ? AND idempotency_key = ?"
            row = self._row(f"SELECT id, fingerprint FROM openai_jobs WHERE {where}", asker, asker.idempotency_key)
            if row is not None and row[1] != print_of:
                message = "this Idempotency-Key was used for another request"
                raise InvalidRequest(message, code="idempotency_key_reused", param="Idempotency-Key")
            return row[0] if row else None
        if not asker.retried:
            return None
        where = "key_id = ? AND fingerprint = ? AND created > ? ORDER BY number DESC"
        row = self._row(f"SELECT id FROM openai_jobs WHERE {where}", asker, print_of, time.time() - RETRIED_S)
        return row[0] if row else None

    async def list_jobs(self, asker: Asker, after: str | None, limit: int, metadata: Mapping[str, str]) -> Answer:
        if after is not None:
            self._check(asker, after)
        where, values = "key_id = ?", [asker.key.id]
        if after is not None:
            where, values = f"{where} AND number < (SELECT number FROM openai_jobs WHERE id = ?)", [*values, after]
        ids = [
            row[0] for row in self.db.execute(f"SELECT id FROM openai_jobs WHERE {where} ORDER BY number DESC", values)
        ]
        found: list[Answer] = []
        for id in ids:  # only OpenAI knows how a job stands
            job = await self._retrieve(id)
            own = cast(dict[str, str], job.get("metadata") or {})
            if all(own.get(name) == value for name, value in metadata.items()):
                found.append(job)
            if len(found) > limit:
                break
        return {"object": "list", "data": found[:limit], "has_more": len(found) > limit}

    async def get(self, asker: Asker, id: str) -> Answer:
        self._check(asker, id)
        return await self._retrieve(id)

    async def events(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer:
        self._check(asker, id)
        return await self._events(id, after, limit)

    async def follow(self, asker: Asker, id: str, after: str | None) -> AsyncGenerator[bytes, None]:
        """OpenAI has no stream of events: it is asked for new ones every two seconds."""
        sent: set[str] = set()
        if after is not None:
            earlier = [event["id"] for event in await self._all_events(id)]
            sent = set(earlier[: earlier.index(after) + 1]) if after in earlier else set()
        while True:
            job = await self.get(asker, id)
            for event in await self._all_events(id):
                if event["id"] not in sent:
                    sent.add(event["id"])
                    yield b"data: " + json.dumps(event).encode() + b"\n\n"
            if job["status"] in FINAL:
                yield b"data: [DONE]\n\n"
                return
            await asyncio.sleep(POLL_S)

    async def checkpoints(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer:
        self._check(asker, id)
        page = {"limit": limit, **({"after": after} if after else {})}
        return await self._answer(self.checkpoints_of.list(id, **page, extra_headers=own_headers()))

    async def act(self, asker: Asker, id: str, verb: Verb) -> Answer:
        self._check(asker, id)
        return self._shown(await self._answer(getattr(self.jobs, verb)(id, extra_headers=own_headers())))

    async def close(self) -> None:
        await self.client.close()

    async def _retrieve(self, id: str) -> Answer:
        return self._shown(await self._answer(self.jobs.retrieve(id, extra_headers=own_headers())))

    async def _events(self, id: str, after: str | None, limit: int) -> Answer:
        page = {"limit": limit, **({"after": after} if after else {})}
        return await self._answer(self.jobs.list_events(id, **page, extra_headers=own_headers()))

    async def _all_events(self, id: str) -> list[Answer]:
        """Oldest first."""
        found: list[Answer] = []
        more, after = True, None
        while more:
            page = await self._events(id, after, 100)
            found += page["data"]
            more, after = page["has_more"], found[-1]["id"] if found else None
        return found[::-1]

    async def _upload(self, asker: Asker, id: str, param: str) -> str:
        """OpenAI's id of our file. Raises NotFound or InvalidRequest on `param`."""
        file = self.files.get(asker.key.id, id, param)
        if file.purpose != PURPOSE:
            raise InvalidRequest(f"{id} has the purpose {file.purpose}, not {PURPOSE}", param=param)
        row = self.db.execute("SELECT remote FROM openai_files WHERE id = ?", (id,)).fetchone()
        if row is not None:
            return row[0]
        _, opened = self.files.open(asker.key.id, id)
        with opened, translated():
            sent = await self.client.files.create(
                file=(file.filename, opened), purpose=PURPOSE, extra_headers=own_headers()
            )
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO openai_files VALUES (?, ?)", (id, sent.id))
        return sent.id

    def _shown(self, job: Answer) -> Answer:
        """With our ids of its files."""
        own: dict[str, str] = {}
        for name in FILES:
            row = self.db.execute("SELECT id FROM openai_files WHERE remote = ?", (job.get(name),)).fetchone()
            if row is not None:
                own[name] = row[0]
        return job | own

    def _check(self, asker: Asker, id: str) -> None:
        if self._row("SELECT 1 FROM openai_jobs WHERE key_id = ? AND id = ?", asker, id) is None:
            raise NotFound(f"no job {id[:80]!r}", code="job_not_found", param="fine_tuning_job_id")

    def _row(self, query: str, asker: Asker, *values: object) -> tuple[Any, ...] | None:
        return self.db.execute(query, (asker.key.id, *values)).fetchone()

    async def _answer(self, asked: Any) -> Answer:
        with translated():
            async with asked as reply:
                found: Any = orjson.loads(await reply.read())
        if not isinstance(found, dict):
            raise UpstreamFailed("OpenAI's answer is not a JSON object")
        return cast(Answer, found)


def build_tuning(settings: Settings, transport: Transport | None) -> OpenAITuning:
    """Raises ValueError without a key."""
    return OpenAITuning(settings, transport)
