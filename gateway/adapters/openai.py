"""OpenAI through its own SDK; answers and streams are passed on as they come, unparsed."""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import openai
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params

from gateway.settings import Settings
from gateway.text import Call, TextPath
from shared.errors import (
    Forbidden,
    InvalidRequest,
    ServiceError,
    UnsupportedByProvider,
    UpstreamFailed,
    UpstreamTimeout,
    error_from_body,
)
from shared.http import Transport, build_httpx_client, timed_out
from shared.logs import REQUEST_ID

KNOWN: dict[TextPath, set[str]] = {
    "chat/completions": {*chat_create_params.CompletionCreateParamsBase.__annotations__, "stream"},
    "completions": {*completion_create_params.CompletionCreateParamsBase.__annotations__, "stream"},
    "embeddings": {*embedding_create_params.EmbeddingCreateParams.__annotations__},
}
"""OpenAI refuses fields that it does not know; load tools and front ends of other engines send them."""


def build_client(settings: Settings, transport: Transport | None) -> openai.AsyncOpenAI:
    """The SDK over our own connections. Raises ValueError without a key."""
    if not settings.openai_api_key.get_secret_value():
        raise ValueError("openai needs OPENAI_API_KEY; or choose custom")
    client: Any = build_httpx_client(  # the SDK's types name httpx2, yet it takes httpx's client
        timeout_s=settings.upstream_timeout_s,
        max_connections=settings.max_in_flight,
        transport=transport,
    )
    return openai.AsyncOpenAI(
        api_key=settings.openai_api_key.get_secret_value(),
        base_url=settings.openai_base_url,
        max_retries=0,  # the client's own SDK retries; twice would multiply
        http_client=client,
    )


class OpenAIModels:
    """The models of the account, whatever they make.

    Raises ServiceErrors with OpenAI's status, code and param; a refused key is our fault, not the client's: 502.
    """

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.client = build_client(settings, transport)

    async def models(self) -> list[dict[str, Any]]:
        with translated():
            return [model.model_dump() async for model in self.client.models.list(extra_headers=own_headers())]

    async def model(self, name: str) -> dict[str, Any]:
        with translated():
            return (await self.client.models.retrieve(name, extra_headers=own_headers())).model_dump()

    async def load(self, name: str) -> dict[str, Any]:
        """OpenAI's models are always loaded."""
        return await self.model(name)

    async def delete(self, name: str) -> dict[str, Any]:
        with translated():
            try:
                return (await self.client.models.delete(name, extra_headers=own_headers())).model_dump()
            except openai.PermissionDeniedError as error:  # OpenAI's word on its own models, not on our key
                raise Forbidden(f"OpenAI does not let {name[:120]} be deleted", param="model") from error

    async def versions(self, name: str) -> dict[str, Any]:
        raise UnsupportedByProvider("OpenAI keeps no versions of models", param="model")

    async def promote(self, name: str, version: str | None) -> dict[str, Any]:
        raise UnsupportedByProvider("OpenAI keeps no versions of models", param="model")

    async def save(self, name: str, new: str) -> dict[str, Any]:
        raise UnsupportedByProvider("OpenAI's models keep their names", param="name")

    async def check_ready(self) -> None:
        """Asking OpenAI would cost a request of the quota; a failure shows in the answers."""

    async def close(self) -> None:
        await self.client.close()


class OpenAIText(OpenAIModels):
    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        super().__init__(settings, transport)
        self.resources: dict[TextPath, tuple[Any, tuple[str, str]]] = {
            "chat/completions": (self.client.chat.completions, ("messages", "model")),
            "completions": (self.client.completions, ("prompt", "model")),
            "embeddings": (self.client.embeddings, ("input", "model")),
        }

    async def answer(self, call: Call) -> bytes:
        with translated():
            async with self._create(call) as reply:
                return await reply.read()

    async def stream(self, call: Call) -> AsyncGenerator[bytes, None]:
        with translated():
            async with self._create(call) as reply:
                async for piece in reply.iter_bytes():
                    yield piece

    def _create(self, call: Call) -> Any:
        """The SDK's own call, typed loosely: the client's fields go to OpenAI as they are and are judged there."""
        body = {name: value for name, value in call.body.items() if name in KNOWN[call.path]}
        resource, needed = self.resources[call.path]
        if call.path == "embeddings":  # else the SDK asks for base64, which the client did not
            body.setdefault("encoding_format", "float")
        for name in needed:
            if name not in body:
                raise InvalidRequest(f"`{name}` is missing", param=name, code="missing_required_parameter")
        named = {name: body.pop(name) for name in needed}
        return resource.with_streaming_response.create(**named, extra_body=body, extra_headers=own_headers())


def own_headers() -> dict[str, str]:
    return {"X-Client-Request-Id": REQUEST_ID.get(), "Accept-Encoding": "identity"}


@contextmanager
def translated() -> Generator[None]:
    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(error) from error
    except openai.APIConnectionError as error:
        if timed_out(error.__cause__):
            raise UpstreamTimeout("OpenAI did not answer in time") from error
        raise UpstreamFailed("OpenAI cannot be reached") from error
    except httpx.TransportError as error:  # in the middle of an answer the SDK lets it through
        if timed_out(error):
            raise UpstreamTimeout("OpenAI fell silent") from error
        raise UpstreamFailed("OpenAI broke off its answer") from error
    except openai.OpenAIError as error:
        raise UpstreamFailed("OpenAI's answer could not be read") from error


def _refusal(error: openai.APIStatusError) -> ServiceError:
    status = error.status_code
    if status in (401, 403):  # the message would quote a part of the key
        refused = UpstreamFailed(f"OpenAI refused OPENAI_API_KEY (status {status})", code="upstream_unauthorized")
        refused.should_retry = False
        return refused
    found: object = error.body  # the SDK unwraps `error` where it finds it
    body = cast(dict[str, Any], found) if isinstance(found, dict) else {}
    translated = error_from_body(status, body if "error" in body else {"error": body})
    wait = error.response.headers.get("retry-after", "")
    if wait.isdigit():
        translated.retry_after_s = float(wait)
    if translated.code == "insufficient_quota" or error.response.headers.get("x-should-retry") == "false":
        translated.should_retry = False
    return translated


def build_text(settings: Settings, transport: Transport | None) -> OpenAIText:
    """Raises ValueError without a key."""
    return OpenAIText(settings, transport)
