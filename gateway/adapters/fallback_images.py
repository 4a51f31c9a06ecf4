"""Two providers of images joined: the second answers while the first is down or overloaded."""

from collections.abc import AsyncGenerator

from gateway.adapters.fallback import Either
from gateway.images import ImageCall, Images, Json


class FallbackImages(Either[Images]):
    async def answer(self, call: ImageCall) -> Json:
        return await self.ask(lambda one: one.answer(call))

    def stream(self, call: ImageCall) -> AsyncGenerator[Json, None]:
        return self.ask_for_pieces(lambda one: one.stream(call))
