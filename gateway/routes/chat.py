"""POST /v1/chat/completions."""

from gateway.forward import Forward
from shared.app import RawRoute
from shared.wire.chat import ChatCompletion, ChatRequest

route = RawRoute(
    "/v1/chat/completions",
    Forward("chat/completions", needed="messages"),
    summary="Answer a conversation; with `stream`, as server-sent events",
    tag="text",
    request=ChatRequest,
    answer=ChatCompletion,
)
