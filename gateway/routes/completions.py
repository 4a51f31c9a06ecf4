"""POST /v1/completions."""

from gateway.forward import Forward
from shared.app import RawRoute
from shared.wire.completions import Completion, CompletionRequest

route = RawRoute(
    "/v1/completions",
    Forward("completions", needed="prompt"),
    summary="Continue a text; with `stream`, as server-sent events",
    tag="text",
    request=CompletionRequest,
    answer=Completion,
)
