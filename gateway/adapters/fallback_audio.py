"""Two providers of audio joined: the second answers while the first is down or overloaded."""

from gateway.adapters.fallback import Either
from gateway.audio import Audio, AudioCall, AudioModel, Sound


class FallbackAudio(Either[Audio]):
    """Voices are the first one's."""

    @property
    def speakers(self) -> AudioModel:
        return self.first.speakers

    async def open(self, call: AudioCall) -> Sound:
        return await self.ask(lambda one: one.open(call))
