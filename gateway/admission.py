"""Who comes in: asks for a key, takes from its limits, bounds how many are inside; before the body is read."""

from gateway.keys import CALLER, KeyStore
from gateway.limits import Limits
from shared.asgi import App, Receive, Scope, Send
from shared.logs import note

OPEN = frozenset(("/health", "/ready", "/openapi.json"))
"""Answered without a key."""
SIGNED = "/v1/images/files/"
"""Addresses below it carry a permission of their own (`gateway.signing`)."""
FREE = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that cost no request of the key's allowance."""


class Admission:
    """Leaves the key in `scope["state"]["key"]` (`gateway.keys.caller`) and in CALLER."""

    def __init__(self, app: App, keys: KeyStore, limits: Limits) -> None:
        self.app = app
        self.keys = keys
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith(SIGNED) and scope["method"] in FREE:
            await self._inside(scope, receive, send)
            return
        authorization = next((value for name, value in scope["headers"] if name == b"authorization"), None)
        key = self.keys.authenticate(authorization)
        scope.setdefault("state", {})["key"] = key
        note(key=key.id)
        if scope["method"] not in FREE:
            await self.limits.admit(key, scope["response_headers"])
        token = CALLER.set(key)
        try:
            await self._inside(scope, receive, send)
        finally:
            CALLER.reset(token)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.limits.enter()
        try:
            await self.app(scope, receive, send)
        finally:
            self.limits.leave()
