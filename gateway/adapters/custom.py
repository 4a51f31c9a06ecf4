"""Text of an in-house service."""

from collections.abc import AsyncGenerator

from gateway.adapters.service import Service
from gateway.settings import Settings
from gateway.text import Call
from shared.http import Transport


class CustomText(Service):
    async def answer(self, call: Call) -> bytes:
        return await self.post(f"/v1/{call.path}", call.encode())

    def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        return self.pieces(f"/v1/{call.path}", call.encode())


def build_text(settings: Settings, transport: Transport | None) -> CustomText | None:
    """None when ML_TEXT_URL is not set: text is then not offered. `transport` is for SDKs; here aiohttp carries."""
    urls = settings.of("text").urls
    return CustomText(urls, settings) if urls else None
