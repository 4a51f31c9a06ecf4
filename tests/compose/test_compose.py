"""What `docker compose up` promises: closed doors, small and locked images, the OpenAI client, limits that hold."""

import base64
import json
import subprocess
from typing import Any

import httpx2
import openai
import pytest

from tests.compose.conftest import ROOT, Stack

SERVICES = ("ml_text", "ml_image", "ml_audio")
OURS = ("gateway", *SERVICES, *(name.replace("ml_", "worker_") for name in SERVICES))
OVERHEAD_MB = 1e6


def test_the_openai_client_works_through_the_containers(stack: Stack) -> None:
    answer = stack.client().chat.completions.create(
        model="starter", messages=[{"role": "user", "content": "A headline for a bakery called Morning Crust."}]
    )
    assert answer.choices[0].message.content and answer.model == "starter"
    brief = {"prompt": "Coffee place called Blue Door, 20% off", "platform": "instagram", "format": "square"}
    design = httpx2.post(
        f"{stack.url}/api/v1/designs", json=brief, headers={"Authorization": f"Bearer {stack.key}"}, timeout=60
    )
    assert design.status_code == 200 and design.json()["design"]["elements"]


def test_pictures_and_speech_come_through_the_containers(stack: Stack) -> None:
    client = stack.client(timeout=120)
    (picture,) = client.images.generate(prompt="a red cup", size="128x128").data or []
    assert base64.b64decode(picture.b64_json or "").startswith(b"\x89PNG")
    speech = client.audio.speech.create(
        model="starter-audio", voice="alloy", input="Good morning.", response_format="wav"
    )
    said = client.audio.transcriptions.create(model="starter-recogniser", file=("a.wav", speech.read()))
    assert {"good", "morning"} & set(said.text.lower().strip(".").split())


def test_a_key_is_needed(stack: Stack) -> None:
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(base_url=f"{stack.url}/v1", api_key="sk-wrong").models.list()


def test_a_front_end_on_another_origin_may_call(stack: Stack) -> None:
    ask = {"Origin": "https://front.example", "Access-Control-Request-Method": "POST"}
    allowed = httpx2.options(f"{stack.url}/v1/chat/completions", headers=ask)
    assert allowed.headers["access-control-allow-origin"] == "https://front.example"
    refused = httpx2.options(f"{stack.url}/v1/chat/completions", headers=ask | {"Origin": "https://other.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_nothing_but_the_gateway_is_published(stack: Stack) -> None:
    published = {
        service: [port for port, bound in stack.container(service).attrs["NetworkSettings"]["Ports"].items() if bound]
        for service in (*OURS, "redis")
    }
    assert published == {**{service: [] for service in (*OURS, "redis")}, "gateway": ["8000/tcp"]}


@pytest.mark.parametrize("service", OURS)
def test_containers_are_locked(stack: Stack, service: str) -> None:
    container = stack.container(service)
    assert container.attrs["HostConfig"]["ReadonlyRootfs"] and container.attrs["HostConfig"]["CapDrop"] == ["ALL"]
    assert container.exec_run(["id", "-u"]).output.strip() == b"10001"
    assert container.exec_run(["touch", "/app/here"]).exit_code != 0
    assert container.exec_run(["touch", "/data/here"]).exit_code == 0


def test_the_gateways_image_is_small_and_holds_no_torch(stack: Stack) -> None:
    assert stack.container("gateway").exec_run(["python", "-c", "import torch"]).exit_code != 0
    own, whole = layers_mb(stack.docker, "content-suite/gateway")
    stack.figures.append(("the gateway's image: own layers, with its base", f"{own:.0f} MB, {whole:.0f} MB"))


def layers_mb(docker: Any, image: str) -> tuple[float, float]:
    """What our build adds to its base image, and all of it."""
    whole = docker.images.get(image).attrs["Size"]
    base = docker.images.get("python:3.11-slim").attrs["Size"]
    return (whole - base) / OVERHEAD_MB, whole / OVERHEAD_MB


def test_memory_limits_are_set_and_hold(stack: Stack) -> None:
    limits = {service: stack.container(service).attrs["HostConfig"]["Memory"] / 2**30 for service in (*OURS, "redis")}
    workers = dict.fromkeys((name for name in OURS if name.startswith("worker_")), 8)
    assert limits == {"gateway": 3, "ml_text": 2, "ml_image": 8, "ml_audio": 8, "redis": 0.5, **workers}
    pid, _ = stack.state("ml_text")
    hog = stack.container("ml_text").exec_run(["python", "-c", "kept = [b'x' * 2**26 for _ in range(64)]"])
    assert hog.exit_code == 137  # the kernel took the one that asked for 4 GB
    stack.wait_healthy("ml_text")
    answer = stack.client().completions.create(model="starter", prompt="Fresh", max_tokens=4)
    assert answer.usage and answer.usage.completion_tokens
    stack.figures.append(
        ("memory limit held", "the hog was killed, pid kept" if stack.state("ml_text")[0] == pid else "restarted")
    )


def test_the_gpu_override_is_valid(stack: Stack) -> None:
    command = ["docker", "compose", "-f", "docker-compose.yml", "-f", "deploy/compose.gpu.yml", "config"]
    done = subprocess.run(
        [*command, "--format", "json"], cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=True
    )
    services = json.loads(done.stdout)["services"]
    for service in ("ml_text", "worker_text"):
        resources = services[service]["deploy"]["resources"]
        assert resources["reservations"]["devices"][0]["capabilities"] == ["gpu"]
        assert resources["limits"]["memory"]  # the override adds, it does not replace
