"""The hot path: a text request as plain ASGI, its bytes carried between client and provider."""

from typing import Any

from gateway.heard import written_down
from gateway.stored import KeepingText, keeping
from gateway.text import STREAMED, Text, TextPath
from shared.asgi import Receive, Scope, Send
from shared.body import encode, json_object
from shared.errors import InvalidRequest
from shared.events import ClientLeft, send_events, while_connected
from shared.logs import note

RECORDED = b'"input_audio"'
"""Stands in a body with recordings in it."""


class Forward:
    """The endpoint of one OpenAI route. `needed` is the field that the request cannot be without."""

    def __init__(self, path: TextPath, needed: str) -> None:
        self.path: TextPath = path
        self.needed = needed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = json_object(scope)
        offered: Text = scope["app"].state.adapter.offered_text()
        if body.get(self.needed) in (None, "", []):
            raise InvalidRequest(f"`{self.needed}` must not be empty", param=self.needed)
        stream = body.get("stream") if self.path in STREAMED else None
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest("`stream` must be true or false", param="stream")
        asked_to_keep = body.get("store") is not None and self.path == "chat/completions"
        if RECORDED in scope["body"] and self.path == "chat/completions" and offered.provider == "custom":
            audio = scope["app"].state.adapter.audio
            if audio is not None:  # else the model says that it hears nothing
                async with while_connected(receive):
                    body = await written_down(body, audio)
                scope["body"] = encode(body)
        text = keeping(scope, offered, body) if asked_to_keep else offered
        if stream:
            await send_events(scope, receive, send, text.stream(self.path, body))
        else:
            await self._answer(scope, receive, send, text, body)

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, text: Text | KeepingText, body: dict[str, Any]
    ) -> None:
        try:
            async with while_connected(receive):
                answer = await text.answer(self.path, body, scope["body"])
        except ClientLeft:
            note(client_left=True)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
