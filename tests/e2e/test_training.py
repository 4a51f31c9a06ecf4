"""The whole way through the gateway: a file, a job, a model that answers by name, saved under another and used."""

import time
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.conftest import Suite

DESIGN = '{"messages": [{"role": "user", "content": "Say blue"}, {"role": "assistant", "content": "blue blue blue"}]}\n'


@pytest.fixture(scope="module")
def client(suite: Suite) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{suite.url}/v1", api_key="none", max_retries=0)


def ended(client: openai.OpenAI, id: str) -> Any:
    deadline = time.monotonic() + 200
    while (job := client.fine_tuning.jobs.retrieve(id)).status not in ("succeeded", "failed", "cancelled"):
        assert time.monotonic() < deadline, job
        time.sleep(0.3)
    return job


@pytest.mark.slow
def test_a_file_becomes_a_model_that_answers_by_name(suite: Suite, client: openai.OpenAI) -> None:
    file = client.files.create(file=("blue.jsonl", DESIGN.encode() * 24), purpose="fine-tune")
    options = {"max_steps": 3, "batch_size": 2, "sequence_length": 64}
    job = client.fine_tuning.jobs.create(
        model="tiny", training_file=file.id, suffix="blue", extra_body={"hyperparameters": options}
    )
    job = ended(client, job.id)
    assert job.status == "succeeded" and job.fine_tuned_model, job.error
    began = time.monotonic()
    said = client.chat.completions.create(
        model=job.fine_tuned_model, messages=[{"role": "user", "content": "Say blue"}], max_tokens=8
    )
    assert said.model == job.fine_tuned_model and time.monotonic() - began < 10
    events = [event for event in client.fine_tuning.jobs.list_events(job.id, limit=100) if event.type == "metrics"]
    assert events and all("train_loss" in (event.data or {}) for event in events[:1])
    assert job.fine_tuned_model in [model.id for model in client.models.list()]
    use_and_save(suite, job.fine_tuned_model)


def use_and_save(suite: Suite, name: str) -> None:
    """The same model through /api/v1/custom-ai, and under a name of its own."""
    with httpx2.Client(base_url=f"{suite.url}/api/v1/custom-ai", timeout=60) as http:
        assert http.post("/load_checkpoint", json={"name": name}).json()["id"] == name
        assert http.get("/model_info").json()["base"].startswith("tiny:1")
        saved = http.post("/save_checkpoint", json={"name": "house-blue"})
        assert saved.status_code == 200 and saved.json()["id"] == "house-blue:1", saved.text
        assert http.post("/load_checkpoint", json={"name": "house-blue"}).status_code == 200
        assert http.post("/generate", json={"prompt": "Say", "max_length": 4}).json()["model"] == "house-blue"
        for bad, status in (("starter", 400), ("../x", 400), ("house-blue:3", 400)):
            refused = http.post("/save_checkpoint", json={"name": bad})
            assert (refused.status_code, refused.json()["error"]["param"]) == (status, "name"), refused.text
        missing = http.post("/load_checkpoint", json={"name": "nobody"})
        assert (missing.status_code, missing.json()["error"]["param"]) == (404, "name")
        http.post("/load_checkpoint", json={"name": "starter"})
