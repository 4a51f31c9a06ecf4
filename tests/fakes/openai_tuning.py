"""OpenAI's files and fine-tuning jobs, in its shapes; a job takes one step further each time it is looked at."""

import time
import uuid
from typing import Any

from openai_shapes import Refusal
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

STEPS = ("validating_files", "queued", "running", "running", "succeeded")
KNOWN = {"model", "training_file", "validation_file", "hyperparameters", "method", "suffix", "seed", "metadata"}


def state(request: Request) -> Any:
    if not hasattr(request.app.state, "uploaded"):
        request.app.state.uploaded, request.app.state.jobs = {}, {}
    return request.app.state


async def upload(request: Request) -> Response:
    async with request.form() as form:
        file: Any = form["file"]
        data = await file.read()
        shown = {
            "id": f"file-remote{uuid.uuid4().hex[:8]}",
            "object": "file",
            "bytes": len(data),
            "created_at": int(time.time()),
            "filename": file.filename,
            "purpose": form["purpose"],
            "status": "processed",
        }
    state(request).uploaded[shown["id"]] = data
    return JSONResponse(shown)


async def create(request: Request) -> Response:
    body = await request.json()
    for name in body:
        if name not in KNOWN:
            raise Refusal(400, "invalid_request_error", f"Unknown parameter: '{name}'.", "unknown_parameter", name)
    if body["training_file"] not in state(request).uploaded:
        message = f"invalid training_file: {body['training_file']}"
        raise Refusal(400, "invalid_request_error", message, "invalid_training_file", "training_file")
    method = body.get("method") or {"type": "supervised", "supervised": {"hyperparameters": {}}}
    job = {
        "id": f"ftjob-{uuid.uuid4().hex[:12]}",
        "object": "fine_tuning.job",
        "created_at": int(time.time()),
        "error": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"},
        "model": body["model"],
        "organization_id": "org-fake",
        "result_files": [],
        "seed": body.get("seed", 7),
        "status": STEPS[0],
        "trained_tokens": None,
        "training_file": body["training_file"],
        "validation_file": body.get("validation_file"),
        "metadata": body.get("metadata"),
        "method": method,
    }
    state(request).jobs[job["id"]] = (job, 0)
    return JSONResponse(job)


def found(request: Request) -> tuple[dict[str, Any], int]:
    id = request.path_params["id"]
    if id not in state(request).jobs:
        raise Refusal(404, "invalid_request_error", f"Could not find fine tune: {id}", "fine_tune_not_found", "id")
    return state(request).jobs[id]


def put(request: Request, job: dict[str, Any], step: int) -> Response:
    state(request).jobs[job["id"]] = (job, step)
    return JSONResponse(job)


async def get(request: Request) -> Response:
    job, step = found(request)
    if job["status"] in STEPS and step < len(STEPS) - 1:
        step += 1
        done = {"finished_at": int(time.time()), "trained_tokens": 99, "fine_tuned_model": f"ft:{job['model']}:org::1"}
        job = job | {"status": STEPS[step]} | (done if STEPS[step] == "succeeded" else {})
    return put(request, job, step)


async def cancel(request: Request) -> Response:
    job, step = found(request)
    return put(request, job | {"status": "cancelled", "finished_at": int(time.time())}, step)


async def events(request: Request) -> Response:
    job, step = found(request)
    data = [
        {
            "id": f"ftevent-{job['id'][-6:]}-{i}",
            "object": "fine_tuning.job.event",
            "created_at": job["created_at"] + i,
            "level": "info",
            "message": f"step {i}",
            "type": "message",
            "data": {},
        }
        for i in range(step + 1)
    ][::-1]
    after = request.query_params.get("after")
    if after:
        data = data[[event["id"] for event in data].index(after) + 1 :]
    return JSONResponse({"object": "list", "data": data, "has_more": False})


async def checkpoints(request: Request) -> Response:
    found(request)
    return JSONResponse({"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None})


JOB = "/v1/fine_tuning/jobs/{id}"
ROUTES = [
    Route("/v1/files", upload, methods=["POST"]),
    Route("/v1/fine_tuning/jobs", create, methods=["POST"]),
    Route(JOB, get),
    Route(f"{JOB}/cancel", cancel, methods=["POST"]),
    Route(f"{JOB}/events", events),
    Route(f"{JOB}/checkpoints", checkpoints),
]
