"""A local process that answers as OpenAI's API does: same shapes, same errors, same headers; the answers are made up.

    python tests/fakes/openai_server.py --port N [--key KEY] [--context TOKENS] [--service]

Any bearer token is good unless --key names the only one. With --service it stands in for a service of ours: no key,
unknown fields pass, models `starter` and `grown` tell their size and can be loaded. Some models are odd on purpose:

    fail-429 fail-500   that error, always; `fail-429` says retry-after-ms
    flaky-500           every odd call fails, so that a client that retries gets through
    bad-json            structured output that is not JSON; bad-json-once only without a seed
    bad-design          JSON of the schema, but a design that no check lets through
    recall              repeats all that it was sent
    slow                repeats the last message, 200 ms per word
    cut                 closes the connection in the middle of a stream
"""

import argparse
import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai_audio
import openai_images
import openai_tuning
import uvicorn
from answers import reply, structured, words
from openai_shapes import (
    KNOWN_TO_CHAT,
    KNOWN_TO_COMPLETIONS,
    OpenAIHeaders,
    Refusal,
    chat_deltas,
    completion_pieces,
    limit,
    model_object,
    served_model,
    usage_of,
)
from schema_values import fit, strict_mode_problem
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

GOOD = ("gpt-4o-mini", "gpt-4o", "gpt-5-mini", "gpt-3.5-turbo-instruct", *openai_images.GOOD, *openai_audio.GOOD)
SERVED = ("starter", "grown")
ODD = ("fail-429", "fail-500", "flaky-500", "bad-json", "bad-json-once", "bad-design", "recall", "slow", "cut")


def refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    headers = {"retry-after-ms": "20", "retry-after": "1"} if error.status == 429 else {}
    return JSONResponse(error.body, error.status, headers)


def not_found(request: Request, _: Exception) -> Response:
    message = f"Invalid URL ({request.method} {request.url.path})"
    return refuse(request, Refusal(404, "invalid_request_error", message))


def crashed(request: Request, error: Exception) -> Response:
    return refuse(request, Refusal(500, "server_error", f"the fake is broken: {error!r}"))


def names_of(request: Request) -> tuple[str, ...]:
    return (SERVED if request.app.state.service else GOOD) + ODD


def admit(request: Request) -> None:
    if request.app.state.service:
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    wanted = request.app.state.key
    if scheme.lower() != "bearer" or not token:
        raise Refusal(401, "invalid_request_error", "You didn't provide an API key.")
    if wanted and token != wanted:
        raise Refusal(401, "invalid_request_error", "Incorrect API key provided.", "invalid_api_key")


async def body_of(request: Request, known: frozenset[str]) -> dict[str, Any]:
    admit(request)
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, "invalid_request_error", "We could not parse the JSON body of your request.") from error
    for field in body:
        if field not in known and not request.app.state.service:
            raise Refusal(400, "invalid_request_error", f"Unknown parameter: '{field}'.", "unknown_parameter", field)
    check_model(request, body)
    return body


def check_model(request: Request, body: dict[str, Any]) -> None:
    model = body.get("model")
    if not model:
        raise Refusal(400, "invalid_request_error", "you must provide a model parameter")
    if model not in names_of(request):
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refusal(404, "invalid_request_error", message, "model_not_found")
    calls = request.app.state.calls
    calls[model] += 1
    if model == "fail-429":
        raise Refusal(429, "requests", "Rate limit reached for requests", "rate_limit_exceeded")
    if model == "fail-500" or (model == "flaky-500" and calls[model] % 2):
        raise Refusal(500, "server_error", "The server had an error while processing your request.")


def check_context(request: Request, messages: Any) -> None:
    most, asked = request.app.state.context, usage_of(messages, 0)["prompt_tokens"]
    if asked > most:
        message = (
            f"This model's maximum context length is {most} tokens. However, your messages resulted in {asked} tokens."
        )
        raise Refusal(400, "invalid_request_error", message, "context_length_exceeded", "messages")


def answer(request: Request, body: dict[str, Any], choice: int) -> str:
    """The text of one choice: words, or JSON when a response_format asks for it."""
    messages, model = body["messages"], body["model"]
    seed = (body.get("seed") or 0) + choice
    wanted = body.get("response_format") or {"type": "text"}
    if model == "recall":
        return " | ".join(str(message["content"]) for message in messages)
    if model == "slow" and wanted["type"] == "text":
        return words(messages)
    if wanted["type"] == "text":
        return reply(messages, seed)
    if wanted["type"] == "json_object":
        return json.dumps({"answer": reply(messages, seed)})
    schema = wanted["json_schema"]
    problem = strict_mode_problem(schema["schema"]) if schema.get("strict") else None
    if problem:
        message = f"Invalid schema for response_format '{schema['name']}': {problem}"
        raise Refusal(400, "invalid_request_error", message, param="response_format")
    if model == "bad-json" or (model == "bad-json-once" and body.get("seed") is None):
        return '{"background_color": "#12'
    text = structured(messages, schema["schema"], seed)
    return json.dumps({**json.loads(text), "elements": []}) if model == "bad-design" else text


def tool_call(body: dict[str, Any], seed: int) -> list[dict[str, Any]] | None:
    """A call of the first function, as long as none has answered yet."""
    tools, asked = body.get("tools") or [], body.get("tool_choice", "auto")
    if not tools or asked == "none" or body["messages"][-1].get("role") == "tool":
        return None
    name = asked["function"]["name"] if isinstance(asked, dict) else tools[0]["function"]["name"]
    function = next(tool["function"] for tool in tools if tool["function"]["name"] == name)
    arguments = json.dumps(fit(function.get("parameters", {"type": "object"}), {}))
    return [{"id": f"call_{seed:024d}", "type": "function", "function": {"name": name, "arguments": arguments}}]


async def chat_completions(request: Request) -> Response:
    body = await body_of(request, KNOWN_TO_CHAT)
    if not body.get("messages"):
        message = (
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        )
        raise Refusal(400, "invalid_request_error", message, "empty_array", "messages")
    check_context(request, body["messages"])
    head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body["model"]}
    head |= {"service_tier": "default", "system_fingerprint": "fp_fake"}
    calls = tool_call(body, 0)
    drafts = [limit(answer(request, body, number), body) for number in range(body.get("n") or 1)] if not calls else []
    usage = usage_of(body["messages"], sum(len(tokens) for tokens, _ in drafts) or 8)
    if body.get("stream"):
        head["object"] = "chat.completion.chunk"
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        events = chat_deltas(drafts, calls)
        return sse(request, body["model"], head, events, usage if with_usage else None)
    message = {"role": "assistant", "refusal": None, "annotations": []}
    if calls:
        full = [{**message, "content": None, "tool_calls": calls}]
        ends = ["tool_calls"]
    else:
        full = [{**message, "content": "".join(tokens)} for tokens, _ in drafts]
        ends = [end for _, end in drafts]
    choices = [
        {"index": number, "message": said, "logprobs": None, "finish_reason": end}
        for number, (said, end) in enumerate(zip(full, ends, strict=True))
    ]
    await pace(body["model"], sum(len(tokens) for tokens, _ in drafts))
    return JSONResponse({**head, "object": "chat.completion", "choices": choices, "usage": usage})


async def completions(request: Request) -> Response:
    body = await body_of(request, KNOWN_TO_COMPLETIONS)
    prompts = body.get("prompt", "")
    prompts = [prompts] if isinstance(prompts, str) else prompts
    drafts = [limit(reply([{"role": "user", "content": prompt}], body.get("seed")), body) for prompt in prompts]
    echoed = [str(prompt) if body.get("echo") else "" for prompt in prompts]
    usage = usage_of(prompts, sum(len(tokens) for tokens, _ in drafts))
    head = {"id": f"cmpl-{uuid.uuid4().hex}", "object": "text_completion", "created": int(time.time())}
    head |= {"model": body["model"], "system_fingerprint": "fp_fake"}
    if body.get("stream"):
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        events = completion_pieces(drafts)
        return sse(request, body["model"], head, events, usage if with_usage else None)
    choices = [
        {"index": number, "text": echo + "".join(tokens), "logprobs": None, "finish_reason": end}
        for number, (echo, (tokens, end)) in enumerate(zip(echoed, drafts, strict=True))
    ]
    return JSONResponse({**head, "choices": choices, "usage": usage})


def sse(
    request: Request, model: str, head: dict[str, Any], choices: Iterator[dict[str, Any]], usage: dict[str, Any] | None
) -> Response:
    """Server-sent events, one choice each; `usage` (when asked for) null until the last event before [DONE]."""
    extra = {"usage": None} if usage else {}

    async def events() -> AsyncIterator[str]:
        for number, choice in enumerate(choices):
            if model == "cut" and number == 3:
                await asyncio.sleep(0.02)  # lets what was written so far leave
                raise ConnectionAbortedError("asked to cut this stream")
            await pace(model, 1)
            yield f"data: {json.dumps({**head, 'choices': [choice], **extra})}\n\n"
        if usage:
            yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage})}\n\n"
        yield "data: [DONE]\n\n"

    request.app.state.calls["streams"] += 1
    return StreamingResponse(events(), media_type="text/event-stream")


async def pace(model: str, tokens: int) -> None:
    if model == "slow":
        await asyncio.sleep(0.2 * tokens)


async def models(request: Request) -> Response:
    admit(request)
    return JSONResponse({"object": "list", "data": [model_object(name) for name in names_of(request)]})


async def one_model(request: Request) -> Response:
    admit(request)
    name = request.path_params["name"]
    if name not in names_of(request):
        raise Refusal(404, "invalid_request_error", f"The model '{name}' does not exist", "model_not_found", "model")
    if not request.app.state.service:
        return JSONResponse(model_object(name))
    loaded = request.app.state.loaded
    if request.method == "POST":
        loaded.add(name)
    return JSONResponse(served_model(name, request.app.state.context, name in loaded))


async def ready(_: Request) -> Response:
    return JSONResponse({"status": "ready"})


def create_app(key: str | None, context: int, service: bool) -> Starlette:
    routes = [
        Route("/v1/chat/completions", chat_completions, methods=["POST"]),
        Route("/v1/completions", completions, methods=["POST"]),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}", one_model),
        *openai_tuning.ROUTES,
        *openai_images.ROUTES,
        *openai_audio.ROUTES,
    ]
    if service:
        routes[:0] = [Route("/v1/models/{name:path}/load", one_model, methods=["POST"]), Route("/ready", ready)]
    handlers: dict[Any, Any] = {Refusal: refuse, 404: not_found, 405: not_found, 500: crashed}
    app = Starlette(routes=routes, exception_handlers=handlers, middleware=[Middleware(OpenAIHeaders)])
    app.state.key, app.state.context, app.state.service = key, context, service
    app.state.calls, app.state.loaded, app.state.voices = Counter[Any](), set[str](), dict[str, Any]()
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", help="the only bearer token that is accepted")
    parser.add_argument("--context", type=int, default=8192, help="tokens that a prompt may have")
    parser.add_argument("--service", action="store_true", help="stand in for a service of ours")
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.key, options.context, options.service),
        host=options.host,
        port=options.port,
        log_level="critical",
        lifespan="off",
    )
