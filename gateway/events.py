"""An answer of server-sent events, by the rules of `shared.events`."""

from collections.abc import AsyncGenerator

from fastapi import Response

from shared.asgi import Receive, Scope, Send
from shared.events import send_events


class Events(Response):
    """`events` are whole ones, closed as soon as the client leaves."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(media_type="text/event-stream")
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(scope, receive, send, self.events)
