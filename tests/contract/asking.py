"""Clients of a gateway in this process: plain HTTP, and OpenAI's own, which refuses what is not of its shapes."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
from fastapi import FastAPI


@contextlib.asynccontextmanager
async def asking(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60)
    async with client, app.router.lifespan_context(app):
        yield client


def sdk(client: httpx.AsyncClient, secret: str = "none") -> openai.AsyncOpenAI:
    http: Any = client
    return openai.AsyncOpenAI(
        api_key=secret,
        base_url="http://gateway/v1",
        http_client=http,
        max_retries=0,
        _strict_response_validation=True,
    )
