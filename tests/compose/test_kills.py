"""Each container is killed once, and the engine, while a job trains and an answer streams: nothing may be lost."""

import os
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest

from tests.compose.conftest import Stack

ROW = '{"messages": [{"role": "user", "content": "Say blue"}, {"role": "assistant", "content": "blue blue blue"}]}\n'
STEPS = 40
OPTIONS = {"max_steps": STEPS, "batch_size": 2, "sequence_length": 64, "save_steps": 4, "log_steps": 1}
TRAINED_S = 600.0
VICTIMS = ("worker_text", "ml_text", "gateway", "redis")
ENDED = ("succeeded", "failed", "cancelled")
BROKEN = (openai.APIError, httpx2.TransportError)
"""What OpenAI's client raises when an answer breaks off: an error event, or the lost connection."""


@dataclass(frozen=True)
class Trained:
    file: str
    loss: float


def begin(stack: Stack, file: str) -> str:
    job = stack.client(max_retries=5).fine_tuning.jobs.create(
        model="starter", training_file=file, seed=1, suffix="kills", extra_body={"hyperparameters": OPTIONS}
    )
    return job.id


def ended(stack: Stack, id: str) -> Any:
    deadline = time.monotonic() + TRAINED_S
    client = stack.client(max_retries=8)
    while (job := client.fine_tuning.jobs.retrieve(id)).status not in ENDED:
        assert time.monotonic() < deadline, job
        time.sleep(0.5)
    return job


def last_loss(stack: Stack, id: str) -> float:
    events = stack.client(max_retries=5).fine_tuning.jobs.list_events(id, limit=1000)
    losses = {event.data["step"]: event.data["train_loss"] for event in events if "train_loss" in (event.data or {})}  # type: ignore[index]
    return losses[STEPS]


def wait_for_step(stack: Stack, id: str, step: int) -> None:
    deadline = time.monotonic() + TRAINED_S
    while True:
        events = stack.client(max_retries=8).fine_tuning.jobs.list_events(id, limit=100)
        steps = [event.data["step"] for event in events.data if event.type == "metrics"]  # type: ignore[index]
        if steps and max(steps) >= step:
            return
        assert time.monotonic() < deadline, "the job does not train"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> Trained:
    file = stack.client().files.create(file=("blue.jsonl", ROW.encode() * 64), purpose="fine-tune").id
    id = begin(stack, file)
    job = ended(stack, id)
    assert job.status == "succeeded", job.error
    return Trained(file, last_loss(stack, id))


def stream_through(stack: Stack, kill: Any) -> str:
    """Kill in the middle of an answer; how the client was told."""
    told = "the answer came whole"
    try:
        with stack.client(max_retries=0, timeout=60).chat.completions.create(
            model="starter",
            messages=[{"role": "user", "content": "Write."}],
            max_tokens=900,
            stream=True,
            extra_body={"ignore_eos": True},
        ) as stream:
            for number, _ in enumerate(stream):
                if number == 5:
                    kill()
    except BROKEN as error:
        told = f"{type(error).__name__}: {error}"
    return told


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_container_comes_back_and_nothing_is_lost(stack: Stack, undisturbed: Trained, victim: str) -> None:
    id = begin(stack, undisturbed.file)
    wait_for_step(stack, id, 6)
    pid, _ = stack.state(victim)
    began = time.monotonic()
    told = stream_through(stack, lambda: stack.kill(victim))
    stack.wait_healthy(victim, not_pid=pid)
    stack.figures.append(
        (f"{victim} killed: healthy again, the stream", f"{time.monotonic() - began:.0f} s, {told[:60]}")
    )
    if victim in ("ml_text", "gateway"):
        assert told != "the answer came whole"
    check_nothing_lost(stack, undisturbed, id)


def check_nothing_lost(stack: Stack, undisturbed: Trained, id: str) -> None:
    """The job ends as if nothing had happened; the file, the key and the model are there."""
    job = ended(stack, id)
    assert job.status == "succeeded", job.error
    assert last_loss(stack, id) == pytest.approx(undisturbed.loss, abs=1e-3)
    client = stack.client(max_retries=5)
    assert client.files.content(undisturbed.file).content == ROW.encode() * 64
    said = client.chat.completions.create(
        model=job.fine_tuned_model or "", messages=[{"role": "user", "content": "Say blue"}], max_tokens=8
    )
    assert said.model == job.fine_tuned_model


def test_the_engine_itself_is_killed(stack: Stack, undisturbed: Trained) -> None:
    restart = os.environ.get("COMPOSE_TEST_RESTART_ENGINE")
    if not restart:
        pytest.skip("COMPOSE_TEST_RESTART_ENGINE is not set: a script that kills the engine and starts it again")
    id = begin(stack, undisturbed.file)
    wait_for_step(stack, id, 6)
    began = time.monotonic()
    told = stream_through(stack, lambda: subprocess.run(["bash", restart], check=True, timeout=120))
    while subprocess.run(["docker", "version"], capture_output=True).returncode:
        assert time.monotonic() - began < 120, "the engine did not come back"
        time.sleep(0.5)
    for service in VICTIMS:
        stack.wait_healthy(service)
    stack.figures.append(
        ("engine killed: all healthy again, the stream", f"{time.monotonic() - began:.0f} s, {told[:60]}")
    )
    check_nothing_lost(stack, undisturbed, id)
