"""Briefs become designs through real processes: our text service, and OpenAI's SDK with a fake at its far end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.client import UnifiedAI
from shared.design import Brief, check, dumps
from shared.errors import InvalidRequest, NotFound, UpstreamFailed
from tests.e2e.conftest import ROOT, STARTER, Suite, free_port, status_of
from tests.fakes.process import openai_server

BRIEF = {"prompt": "coffee place called Blue Door, 20% off", "platform": "instagram", "format": "square"}
SPEC_FROM_PYTHON = """
import asyncio, json, sys
from gateway.model_adapter import get_model_adapter

async def main():
    adapter = get_model_adapter()
    print(json.dumps(await adapter.generate_design_spec(*sys.argv[1:])))
    await adapter.close()

asyncio.run(main())
"""


@dataclass
class Gateway:
    """A running `python -m gateway.main` and what its environment says."""

    url: str
    environment: dict[str, str]
    log_file: Path


@pytest.fixture(scope="module")
def openai_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """MODEL_PROVIDER=openai, and nothing else changed."""
    folder = tmp_path_factory.mktemp("openai")
    with openai_server("--key", "sk-right") as fake:
        environment = {
            **os.environ,
            "MODEL_PROVIDER": "openai",
            "OPENAI_API_KEY": "sk-right",
            "OPENAI_BASE_URL": f"{fake}/v1",
            "MODEL_TEXT": "gpt-4o-mini",
            "DESIGN_MODEL_TIKTOK": "gpt-4o",
            "DATA_DIR": str(folder),
            "GATEWAY_PORT": str(free_port()),
        }
        gateway = Gateway(f"http://127.0.0.1:{environment['GATEWAY_PORT']}", environment, folder / "gateway.log")
        with gateway.log_file.open("w") as log:
            command = [sys.executable, "-m", "gateway.main"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 60
            while status_of(f"{gateway.url}/ready") != 200:
                assert process.poll() is None and time.monotonic() < deadline, gateway.log_file.read_text()
                time.sleep(0.1)
            yield gateway
        finally:
            process.terminate()
            assert process.wait(30) in (0, -15)


@pytest.fixture
def openai_ai(openai_gateway: Gateway) -> Iterator[UnifiedAI]:
    with UnifiedAI(openai_gateway.url, max_retries=0) as ai:
        yield ai


def check_answer(made: dict[str, Any], provider: str, model: str) -> None:
    assert (made["provider"], made["model"]) == (provider, model)
    assert (made["width"], made["height"]) == (1080, 1080)
    assert check(dumps(made["design"]), Brief(**BRIEF)) == made["design"]


def test_openai_designs(openai_ai: UnifiedAI, openai_gateway: Gateway):
    made = openai_ai.generate_design(**BRIEF, explain=True)
    check_answer(made, "openai", "gpt-4o-mini")
    assert set(made["explanation"]) == {"palette", "layout", "copy"}
    assert openai_ai.generate_design("dance class", "tiktok", "story")["model"] == "gpt-4o"
    drawn = httpx2.get(f"{openai_gateway.url}/api/v1/designs/{made['id']}.png", timeout=30)
    assert drawn.content.startswith(b"\x89PNG")


def test_openai_text(openai_ai: UnifiedAI):
    assert "sky" in openai_ai.generate_text("why is the sky blue")
    assert "".join(openai_ai.stream_chat([{"role": "user", "content": "why is the sky blue"}]))


def test_openai_errors_reach_the_sdk_typed(openai_ai: UnifiedAI):
    with pytest.raises(NotFound):
        openai_ai.generate_design(**BRIEF, model="no-such-model")
    with pytest.raises(UpstreamFailed) as unusable:
        openai_ai.generate_design(**BRIEF, model="bad-json")
    assert unusable.value.code == "upstream_invalid"
    with pytest.raises(InvalidRequest) as wrong:
        openai_ai.generate_design(**BRIEF | {"format": "banner"})
    assert wrong.value.param == "format" and "square" in str(wrong.value)


def test_a_back_end_calls_one_function(openai_gateway: Gateway, suite: Suite):
    """The same program for both providers; only the environment differs."""
    custom = {**os.environ, "ML_TEXT_URL": suite.text_url, "MODEL_TEXT": "starter" if STARTER.is_file() else "tiny"}
    for environment in (openai_gateway.environment, custom):
        command = [sys.executable, "-c", SPEC_FROM_PYTHON, *BRIEF.values()]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
        if environment is custom and done.returncode:  # a weak model's design may be refused, and nothing else
            assert "UpstreamInvalid" in done.stderr
            continue
        assert done.returncode == 0, done.stderr
        assert set(json.loads(done.stdout)) == {"background_color", "elements"}


def test_who_leaves_early_leaves_nothing_behind(openai_gateway: Gateway):
    def kept() -> list[str]:
        return [design["model"] for design in httpx2.get(f"{openai_gateway.url}/api/v1/designs").json()["data"]]

    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{openai_gateway.url}/api/v1/designs", json=BRIEF | {"model": "slow"}, timeout=0.2)
    deadline = time.monotonic() + 10
    while '"client_left":true' not in openai_gateway.log_file.read_text().replace(" ", ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)  # longer than the answer would have taken
    assert "slow" not in kept()


def test_the_starter_designs(suite: Suite):
    """How often it succeeds is measured in benchmarks/starter.py; here it is enough that it does."""
    with UnifiedAI(suite.url, max_retries=12) as ai:
        check_answer(ai.generate_design(**BRIEF), "custom", "starter")


def test_random_weights_answer_or_are_refused(suite: Suite):
    """The grammar makes every answer a spec; the check refuses what cannot be used, and nothing of it is kept."""
    before = httpx2.get(f"{suite.url}/api/v1/designs", timeout=30).json()["data"]
    answer = httpx2.post(f"{suite.url}/api/v1/designs", json=BRIEF | {"model": "tiny"}, timeout=120)
    after = httpx2.get(f"{suite.url}/api/v1/designs", timeout=30).json()["data"]
    if answer.status_code == 200:
        assert len(after) == len(before) + 1
    else:
        error = answer.json()["error"]
        assert answer.status_code == 502 and error["code"] == "upstream_invalid", error
        assert "not a usable design" in error["message"]  # a spec, though not a good one
        assert after == before


def test_custom_ai(suite: Suite):
    path = f"{suite.url}/api/v1/custom-ai"
    info = httpx2.post(f"{path}/init_model", json={"model": "tiny"}, timeout=120).json()
    assert info["id"] == "tiny" and info["loaded"] is True and info["provider"] == "custom"
    assert httpx2.get(f"{path}/model_info", timeout=30).json() == info
    said = httpx2.post(f"{path}/generate", json={"prompt": "the quick", "max_length": 5}, timeout=120).json()
    assert 1 <= said["usage"]["completion_tokens"] <= 5 and said["model"] == "tiny"
    lost = httpx2.post(f"{path}/init_model", json={"model": "no-such-model"}, timeout=120)
    assert lost.status_code == 404 and lost.json()["error"]["code"] == "model_not_found"
    assert httpx2.get(f"{path}/model_info", timeout=30).json()["id"] == "tiny"


def test_a_chat_outgrows_the_context_of_a_real_model(suite: Suite):
    path = f"{suite.url}/api/v1/custom-ai"
    info = httpx2.post(f"{path}/init_model", json={"model": "tiny"}, timeout=120).json()
    message = "the quick brown fox jumps over the lazy dog " * (info["context_length"] // 40)
    for _ in range(3):
        body = {"message": message, "session_id": "long"}
        answer = httpx2.post(f"{path}/chat", json=body, timeout=300)
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["total_tokens"] <= info["context_length"]


def test_the_command_line_chat(suite: Suite):
    command = [sys.executable, "-m", "gateway.chat", "--url", suite.url, "--model", "tiny", "--max-tokens", "8"]
    done = subprocess.run(command, input="hi\n", cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == ""
