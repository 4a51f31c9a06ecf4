"""Fine-tuning in the in-house services: each has the same job routes, an id names its service, lists are merged."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import quote, urlencode

from gateway.adapters.service import PROBE_TIMEOUT_S
from gateway.names import may_have, own, unknown_model
from gateway.settings import Settings
from gateway.together import ask_who_is_there
from gateway.tuning import Answer, Asker, Verb
from shared.body import encode
from shared.errors import AWAY, NotFound, ServiceError, UpstreamFailed, UpstreamTimeout, error_from_body
from shared.http import HttpClient, Reply, Transport, Unreachable
from shared.logs import REQUEST_ID

JOBS = "/v1/fine_tuning/jobs"
WATCH_S = 24 * 3600.0
"""How long a job may be silent while somebody watches its events: a paused one says nothing."""
PAGE = 100


class CustomTuning:
    """`services` is name -> its addresses, each of which has all of its jobs; the next is asked if one is down."""

    def __init__(self, services: Mapping[str, tuple[str, ...]], settings: Settings) -> None:
        self.services = {
            name: [url.rstrip("/").removesuffix("/v1") for url in urls] for name, urls in services.items() if urls
        }
        self.client = HttpClient(
            timeout_s=settings.upstream_timeout_s,
            max_connections=settings.max_in_flight,
        )

    async def create(self, asker: Asker, body: Mapping[str, Any]) -> Answer:
        """In the first service that has the model; one that is away is passed over. Raises why, if no other has it."""
        model = str(body.get("model"))
        missing: ServiceError = unknown_model(model)
        for service in self.services:
            if not may_have(service, model):
                continue
            try:
                return await self._json(service, asker, "POST", JOBS, encode({**body, "model": own(service, model)}))
            except UpstreamTimeout:  # it may be making the job
                raise
            except AWAY as error:
                missing = error
            except NotFound as error:
                if error.param not in ("model", None):  # None: an engine without these routes
                    raise
        raise missing

    async def list_jobs(self, asker: Asker, after: str | None, limit: int, metadata: Mapping[str, str]) -> Answer:
        before = float("inf") if after is None else (await self.get(asker, after))["created_at"]
        asks = {service: self._older(service, asker, after, limit, metadata, before) for service in self.services}
        pages, rest = await ask_who_is_there(asks, "the jobs")
        found = sorted((job for jobs, _ in pages.values() for job in jobs), key=lambda job: -job["created_at"])
        more = len(found) > limit or any(has_more for _, has_more in pages.values())
        return {"object": "list", "data": found[:limit], "has_more": more, **rest}

    async def _older(
        self, service: str, asker: Asker, after: str | None, limit: int, metadata: Mapping[str, str], before: float
    ) -> tuple[list[Answer], bool]:
        """Up to `limit` jobs of one service that follow its own job `after`, or were not made later than `before`."""
        found: list[Answer] = []
        more = True
        after = after if after is not None and service_of(after) == service else None
        while more and len(found) < limit:
            query = {"limit": PAGE, **({"after": after} if after else {})}
            query |= {f"metadata[{name}]": value for name, value in metadata.items()}
            try:
                page = await self._json(service, asker, "GET", f"{JOBS}?{urlencode(query)}", timeout_s=PROBE_TIMEOUT_S)
            except NotFound:
                if after:
                    raise
                return [], False  # an engine that trains nothing
            found += [job for job in page["data"] if job["created_at"] <= before]
            more = page["has_more"]
            after = page["data"][-1]["id"] if page["data"] else None
        return found[:limit], more or len(found) > limit

    async def get(self, asker: Asker, id: str) -> Answer:
        return await self._of_job(asker, "GET", id)

    async def events(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer:
        return await self._of_job(asker, "GET", id, f"/events?{_page(after, limit)}")

    async def follow(self, asker: Asker, id: str, after: str | None) -> AsyncGenerator[bytes, None]:
        query = urlencode({"stream": "true", **({"after": after} if after else {})})
        path = f"{JOBS}/{quote(id, safe='')}/events?{query}"
        reply = await self._send(service_of(id), asker, "GET", path, timeout_s=WATCH_S)
        rest = b""
        try:
            async with aclosing(reply.pieces()) as pieces:
                async for piece in pieces:
                    whole, _, rest = (rest + piece).rpartition(b"\n\n")
                    if whole:
                        yield whole + b"\n\n"
        finally:
            reply.close()

    async def checkpoints(self, asker: Asker, id: str, after: str | None, limit: int) -> Answer:
        return await self._of_job(asker, "GET", id, f"/checkpoints?{_page(after, limit)}")

    async def act(self, asker: Asker, id: str, verb: Verb) -> Answer:
        return await self._of_job(asker, "POST", id, f"/{verb}")

    async def close(self) -> None:
        await self.client.close()

    async def _of_job(self, asker: Asker, method: str, id: str, rest: str = "") -> Answer:
        return await self._json(service_of(id), asker, method, f"{JOBS}/{quote(id, safe='')}{rest}")

    async def _json(
        self,
        service: str,
        asker: Asker,
        method: str,
        path: str,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        reply = await self._send(service, asker, method, path, body, timeout_s)
        try:
            found = await reply.json()
        finally:
            reply.close()
        if not isinstance(found, dict):
            raise UpstreamFailed("the upstream's answer is not a JSON object")
        return cast(Answer, found)

    async def _send(
        self,
        service: str,
        asker: Asker,
        method: str,
        path: str,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """A reply of good status from the first address that can be reached. Close it."""
        headers = {
            "content-type": "application/json",
            "x-request-id": REQUEST_ID.get(),
            "x-owner": asker.key.id,
            "x-organization": asker.organization,
            **({"idempotency-key": asker.idempotency_key} if asker.idempotency_key else {}),
            **({"x-stainless-retry-count": "1"} if asker.retried else {}),
        }
        lost: Unreachable | None = None
        for root in self.services.get(service, ()):
            try:
                reply = await self.client.send(method, root + path, headers, body, timeout_s)
            except Unreachable as error:
                lost = error
                continue
            if reply.status < 400:
                return reply
            try:
                raise error_from_body(reply.status, await reply.json())
            finally:
                reply.close()
        raise lost or NotFound("no such job", code="job_not_found", param="fine_tuning_job_id")


def service_of(id: str) -> str:
    """ftjob-text-… is the text service's."""
    parts = id.split("-", 2)
    return parts[1] if len(parts) == 3 and parts[0] == "ftjob" else ""


def _page(after: str | None, limit: int) -> str:
    return urlencode({"limit": limit, **({"after": after} if after else {})})


def build_tuning(settings: Settings, transport: Transport | None) -> CustomTuning | None:
    """None when no service that trains has an address."""
    services = {name: modality.urls for name, modality in settings.modalities.items()}
    return CustomTuning(services, settings) if any(services.values()) else None
