"""As it runs: real processes and sockets, aiohttp below, the official OpenAI client in front."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.contract.upstream import WORDS, Script, service, serving

HELLO: Any = [{"role": "user", "content": "hello"}]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Running:
    url: str
    pid: int


@contextmanager
def gateway_process(data_dir: Path, **env: str) -> Iterator[Running]:
    port = free_port()
    command = [sys.executable, "-m", "gateway.main"]
    full = os.environ | {"DATA_DIR": str(data_dir), "GATEWAY_PORT": str(port)} | env
    with subprocess.Popen(command, env=full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                assert process.poll() is None, process.stdout and process.stdout.read().decode()
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield Running(url, process.pid)
        finally:
            process.terminate()
            assert process.stdout is not None
            (data_dir / "gateway.log").write_bytes(process.stdout.read())


def keys(data_dir: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "gateway.keys", *arguments]
    env = os.environ | {"DATA_DIR": str(data_dir)}
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def test_the_official_client_through_real_processes(tmp_path: Path) -> None:
    with serving(service(Script("custom"))) as url, gateway_process(tmp_path, ML_TEXT_URL=url) as gateway:
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0)
        with client:
            answer = client.chat.completions.create(model="starter", messages=HELLO)
            assert answer.choices[0].message.content == "".join(WORDS) and answer.usage
            chunks = list(client.chat.completions.create(model="starter", messages=HELLO, stream=True))
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "".join(WORDS)
            assert [model.id for model in client.models.list()] == ["starter"]
            with pytest.raises(openai.NotFoundError) as refused:
                client.chat.completions.create(model="nope", messages=HELLO)
            assert refused.value.code == "model_not_found" and refused.value.request_id
            with pytest.raises(openai.APIError, match="broke off"):
                said: Any = [{"role": "user", "content": "drop"}]
                list(client.chat.completions.create(model="starter", messages=said, stream=True))


def test_openai_through_the_production_transport(tmp_path: Path) -> None:
    script = Script("openai")
    with serving(service(script)) as url:
        env = {"MODEL_PROVIDER": "openai", "OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": f"{url}/v1"}
        with gateway_process(tmp_path, **env) as gateway, httpx.Client(base_url=gateway.url) as client:
            body = {"model": "gpt-4o-mini", "messages": HELLO}
            assert client.post("/v1/chat/completions", json=body).json()["model"] == "gpt-4o-mini"
            assert client.post("/v1/chat/completions", json=body | {"stream": True}).text.endswith("data: [DONE]\n\n")
            assert script.headers[-1]["authorization"] == "Bearer sk-x"
            no_model = client.post("/v1/chat/completions", json={"messages": HELLO})
            assert no_model.status_code == 400 and "MODEL_TEXT" in no_model.json()["error"]["message"]
    with gateway_process(tmp_path, **env) as gateway, httpx.Client(base_url=gateway.url) as client:
        gone = client.post("/v1/chat/completions", json=body)
        assert gone.status_code == 502 and gone.json()["error"]["code"] == "upstream_failed"


def test_from_the_first_key_on_every_route_asks_for_one(tmp_path: Path) -> None:
    with serving(service(Script("custom"))) as url, gateway_process(tmp_path, ML_TEXT_URL=url) as gateway:
        client = httpx.Client(base_url=gateway.url)
        with client:
            assert client.get("/v1/models").status_code == 200
            made = keys(tmp_path, "create", "front end", "--limit", "requests=2").splitlines()
            id, secret = made[0].split()[0], made[1]
            time.sleep(1.1)
            for path in ("/v1/models", "/metrics", "/docs", "/nope", "/api/v1/usage"):
                refused = client.get(path)
                assert refused.status_code == 401 and refused.json()["error"]["code"] == "invalid_api_key", path
            assert client.get("/v1/models", headers={"authorization": "Bearer sk-wrong"}).status_code == 401
            for path in ("/health", "/ready", "/openapi.json"):
                assert client.get(path).status_code == 200
            client.headers["authorization"] = f"Bearer {secret}"
            codes = [client.post("/v1/chat/completions", json={"messages": HELLO}).status_code for _ in range(3)]
            assert codes == [200, 200, 429]
            assert client.get("/api/v1/usage").json()["total"]["requests"] == 2
            rotated = keys(tmp_path, "rotate", id).splitlines()[0]
            time.sleep(1.1)
            assert client.get("/v1/models").status_code == 401
            client.headers["authorization"] = f"Bearer {rotated}"
            assert client.get("/v1/models").status_code == 200
            keys(tmp_path, "revoke", id)
            time.sleep(1.1)
            assert client.get("/v1/models").status_code == 401
            del client.headers["authorization"]
            assert client.get("/v1/models").status_code == 401, "a revoked key does not open the door again"
    log = (tmp_path / "gateway.log").read_text()
    assert secret not in log and rotated not in log and secret.encode() not in (tmp_path / "gateway.db").read_bytes()
    line = next(json.loads(line) for line in log.splitlines() if '"status":429' in line)
    assert line["key"] == id and line["request_id"].startswith("req_")


async def test_when_the_client_leaves_the_upstream_is_left(tmp_path: Path) -> None:
    script = Script("custom")
    with serving(service(script)) as url, gateway_process(tmp_path, ML_TEXT_URL=url) as gateway:
        body = {"messages": [{"role": "user", "content": "silence"}], "stream": True}
        client = httpx.AsyncClient(base_url=gateway.url)
        async with client, client.stream("POST", "/v1/chat/completions", json=body) as answer:
            await anext(answer.aiter_raw())
            assert script.left == 0
        for _ in range(100):
            if script.left:
                break
            await asyncio.sleep(0.02)
        assert script.left == 1
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            with pytest.raises(httpx.ReadTimeout):
                await client.post("/v1/chat/completions", json={"messages": HANG}, timeout=0.5)
            used = (await client.get("/api/v1/usage")).json()["total"]
            assert used["requests"] == 1 and used["completion_tokens"] >= 1  # what came before it left
            metrics = (await client.get("/metrics")).text
            assert 'status="499"' in metrics and "http_requests_running 1.0" in metrics


HANG = [{"role": "user", "content": "hang"}]


def test_usage_survives_a_kill(tmp_path: Path) -> None:
    with serving(service(Script("custom"))) as url:
        with gateway_process(tmp_path, ML_TEXT_URL=url) as gateway, httpx.Client(base_url=gateway.url) as client:
            client.post("/v1/chat/completions", json={"messages": HELLO})
            time.sleep(1.5)
            os.kill(gateway.pid, signal.SIGKILL)
        with gateway_process(tmp_path, ML_TEXT_URL=url) as gateway, httpx.Client(base_url=gateway.url) as client:
            assert client.get("/api/v1/usage").json()["total"]["requests"] == 1


def test_several_addresses_share_the_load_and_stand_in_for_each_other(tmp_path: Path) -> None:
    one, two = Script("custom"), Script("custom")
    with serving(service(one)) as first, serving(service(two)) as second:
        urls = f"{first},http://127.0.0.1:{free_port()},{second}/v1/"
        with gateway_process(tmp_path, ML_TEXT_URL=urls) as gateway, httpx.Client(base_url=gateway.url) as client:
            codes = [client.post("/v1/chat/completions", json={"messages": HELLO}).status_code for _ in range(12)]
    assert codes == [200] * 12 and len(one.seen) >= 4 and len(two.seen) >= 4
