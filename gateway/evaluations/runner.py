"""Runs evaluations one after the other, beside the requests; what a killed gateway left is run again."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any, BinaryIO

from gateway.evaluations.remote import Remote
from gateway.evaluations.store import Evaluation, EvaluationStore
from gateway.evaluations.texts import Texts
from gateway.keys import CALLER, Key
from gateway.prices import Prices
from shared.errors import InvalidRequest, ServiceError
from shared.evaluation import compare
from shared.evaluation.compare import Wish
from shared.evaluation.examples import Example, read_bytes, read_rows
from shared.evaluation.pairs import report_of
from shared.files import FileStore
from shared.wire.evaluations import Asked, EvaluationRequest

SOURCES = ("file_id", "rows", "shadow")
AT_ONCE = 4
"""Questions on their way to the models."""
MAX_ATTEMPTS = 3
"""How often one is begun, when gateways die over it."""
DATASET_LIMIT_BYTES = 64 << 20
log = logging.getLogger(__name__)


class Evaluations:
    """Runs what the store holds. `shadowed(key_id, limit)` is what MODEL_SHADOW compared."""

    def __init__(
        self,
        store: EvaluationStore,
        files: FileStore,
        texts: Texts,
        shadowed: Callable[[str, int], list[dict[str, Any]]],
        prices: Prices,
    ) -> None:
        self.store, self.files, self.texts, self.shadowed, self.prices = store, files, texts, shadowed, prices
        self.wake = asyncio.Event()

    async def submit(self, key_id: str, request: EvaluationRequest) -> Evaluation:
        """Raises what is wrong with the request as far as that shows before a model is asked."""
        given = [name for name in SOURCES if getattr(request, name)]
        if len(given) != 1:
            raise InvalidRequest(f"exactly one of {', '.join(SOURCES)} is needed", param=given[-1] if given else "rows")
        if not request.shadow:
            for asked in _sides(request):
                self.texts.get(asked.provider)
            compare.choose(await self._examples(key_id, request), request.metrics)
        found = self.store.add(key_id, request)
        self.wake.set()
        return found

    async def run_forever(self) -> None:
        while True:
            self.wake.clear()
            while found := self.store.next():
                await self._run(found)
            await self.wake.wait()

    async def _run(self, found: Evaluation) -> None:
        if found.attempts >= MAX_ATTEMPTS:
            self.store.note(found.id, status="failed", error=f"the gateway ended {found.attempts} times over it")
            return
        try:
            report = await self._report(found)
            self.store.note(found.id, status="completed", report=json.dumps(report))
        except ServiceError as error:
            self.store.note(found.id, status="failed", error=str(error))
        except Exception:
            log.exception("evaluation %s failed", found.id)
            self.store.note(found.id, status="failed", error="internal error")

    async def _report(self, found: Evaluation) -> dict[str, Any]:
        request = EvaluationRequest.model_validate(found.request)
        CALLER.set(Key(found.key_id, found.key_id))  # whose tokens they are
        if request.shadow:
            return report_of(await asyncio.to_thread(self.shadowed, found.key_id, request.limit))
        examples = await self._examples(found.key_id, request)
        sides = [await self._side(each) for each in _sides(request)]
        wish = Wish(request.samples, request.max_tokens, request.temperature, request.raw)
        total = len(sides) * len(examples)
        self.store.note(found.id, done=0, total=total)
        every = max(1, total // 50)

        def progress(done: int, total: int) -> None:
            if done % every == 0 or done == total:
                self.store.note(found.id, done=done)

        metrics = compare.choose(examples, request.metrics)
        return await compare.compare(sides, examples, metrics, wish, AT_ONCE, progress)

    async def _side(self, asked: Asked) -> Remote:
        text = self.texts.get(asked.provider)
        return Remote(text, await text.resolve(asked.model), self.prices)

    async def _examples(self, key_id: str, request: EvaluationRequest) -> list[Example]:
        if request.rows is not None:
            return await asyncio.to_thread(read_rows, request.rows, request.limit)
        file, opened = self.files.open(key_id, request.file_id or "")
        return await asyncio.to_thread(_read, opened, file.filename, request.limit)


def _read(opened: BinaryIO, filename: str, limit: int) -> list[Example]:
    with opened:
        data = opened.read(DATASET_LIMIT_BYTES + 1)
    if len(data) > DATASET_LIMIT_BYTES:
        raise InvalidRequest(f"an evaluation's data set has at most {DATASET_LIMIT_BYTES} bytes", param="file_id")
    return read_bytes(data, filename, limit)


def _sides(request: EvaluationRequest) -> list[Asked]:
    return [request, *([request.against] if request.against else [])]
