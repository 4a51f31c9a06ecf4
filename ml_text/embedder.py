"""Which encoders are in memory, and their turn at the processor: long requests let short ones in between batches."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ml_text.encoder import Encoder, Vectors, load_encoder
from ml_text.settings import TextSettings
from ml_text.sources import Source
from shared.errors import InvalidRequest, Overloaded
from shared.residents import Residents, Use
from shared.training import memory

MAX_TOKENS = 300_000
"""In all inputs of one request together, as OpenAI's limit."""


@dataclass
class Resident:
    encoder: Encoder
    use: Use = field(default_factory=Use)

    @property
    def source(self) -> Source:
        return self.encoder.source

    @property
    def size_bytes(self) -> int:
        return self.encoder.facts.size_bytes

    async def close(self) -> None:
        """It runs nothing of its own."""


class Embedder:
    """`embed` may be called by many at once; the vectors are made in one thread."""

    def __init__(self, settings: TextSettings) -> None:
        self._settings = settings
        self._residents = Residents[Resident](memory.open_room(settings))
        self._turn = asyncio.Lock()
        self._waiting = 0

    def is_loaded(self, source: Source) -> bool:
        return source in self._residents

    async def embed(self, source: Source, inputs: Sequence[str] | Sequence[list[int]]) -> tuple[Vectors, int]:
        """(N, C) vectors of length 1, and how many tokens were read. Raises InvalidRequest, OutOfMemory, Overloaded."""
        if self._waiting >= self._settings.queue_size + self._settings.slots:
            raise Overloaded(f"{self._waiting} requests wait already", retry_after_s=1)
        self._waiting += 1
        try:
            async with self.lease(source) as encoder:
                rows = await asyncio.to_thread(encoder.tokenize, inputs)
                tokens = sum(map(len, rows))
                if tokens > MAX_TOKENS:
                    raise InvalidRequest(f"the inputs have {tokens} tokens, more than {MAX_TOKENS}", param="input")
                return await self._encode(encoder, rows), tokens
        finally:
            self._waiting -= 1

    async def _encode(self, encoder: Encoder, rows: list[list[int]]) -> Vectors:
        made: dict[int, Vectors] = {}
        for places in encoder.batches(rows):
            async with self._turn:
                vectors = await asyncio.to_thread(encoder.encode, [rows[place] for place in places])
            made.update(zip(places, vectors, strict=True))
        return np.stack([made[place] for place in range(len(rows))])

    @contextlib.asynccontextmanager
    async def lease(self, source: Source) -> AsyncIterator[Encoder]:
        """The encoder behind `source`, loaded if need be, and not unloaded meanwhile."""
        async with self._residents.lease(source, self._load) as resident:
            yield resident.encoder

    async def _load(self, source: Source) -> Resident:
        encoder = await asyncio.to_thread(load_encoder, source, self._settings)
        await self._residents.forget_older(source)
        return Resident(encoder)

    async def sweep(self) -> None:
        """Unload what nobody asked for in `idle_s`."""
        await self._residents.sweep(self._settings.idle_s)
