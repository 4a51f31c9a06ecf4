"""Requests that /openapi.json allows, and such as it does not, over every text route of the running suite.

    python -m benchmarks.fuzz [--cases 2000] [--url http://127.0.0.1:8000]

Without --url a suite is started for it, with the starter. Goals: no 5xx, and every answer conforms to the schema of its
status in /openapi.json, errors to OpenAI's envelope. Half of the cases are valid by the schema, half are not.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from benchmarks.machine import describe, table

ROOT = Path(__file__).resolve().parent.parent
ROUTES = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/models",
    "/v1/responses",
    "/v1/conversations",
)
PREFIXES = (*ROUTES, "/api/v1/designs", "/api/v1/custom-ai", "/api/v1/shadow")
START_S = 180.0
FEW_TOKENS = 4
LIMITS = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/responses": "max_output_tokens",
    "/api/v1/custom-ai/generate": "max_length",
}
"""Where a valid request says how much is generated: answers are looked at, not read."""


@dataclass
class Row:
    """What came of one route."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_suite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        ports = {"GATEWAY_PORT": str(free_port()), "ML_TEXT_PORT": str(free_port())}
        env = os.environ | ports | {"DATA_DIR": f"{folder}/data"}
        url = f"http://127.0.0.1:{ports['GATEWAY_PORT']}"
        with (Path(folder) / "up.log").open("w") as log:
            command = [sys.executable, "deploy/up.py"]
            process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            wait_until_ready(url, process)
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/ready", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the suite did not start")


def conformity(document: dict[str, Any], operation: dict[str, Any], answer: httpx.Response) -> str | None:
    """What is wrong with `answer`, in words."""
    if answer.status_code >= 500:
        return f"status {answer.status_code}: {answer.text[:200]}"
    described = operation["responses"].get(str(answer.status_code)) or operation["responses"].get("default")
    if described is None:
        return f"status {answer.status_code} is not described"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    content = described.get("content") or {}
    if kind not in content:
        return f"{answer.status_code}: {kind or 'no content type'} is not described" if content else None
    if kind != "application/json":
        return None
    schema = {**content[kind]["schema"], "components": document["components"]}
    error = next(Draft202012Validator(schema).iter_errors(answer.json()), None)
    return None if error is None else f"{answer.status_code}: {error.json_path}: {error.message[:160]}"


def send(client: httpx.Client, case: Any, mode: GenerationMode) -> httpx.Response:
    sent = case.as_transport_kwargs(base_url=str(client.base_url))
    fields = {name: sent[name] for name in ("params", "headers", "json") if sent.get(name) is not None}
    data = sent.get("data")
    if data is not None:
        fields["content" if isinstance(data, bytes | str) else "data"] = data
    body = fields.get("json")
    if isinstance(body, dict) and mode is GenerationMode.POSITIVE:
        fields["json"] = answerable(case.operation.path, dict(body))
    return client.request(sent["method"], sent["url"], **fields)


def answerable(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A valid `body` with a model that exists, and few tokens to wait for."""
    if path == "/v1/embeddings":
        return body | {"model": "starter-embedding"}
    if path in LIMITS:
        body.pop("max_completion_tokens", None)
        return {name: value for name, value in body.items() if name != "model"} | {LIMITS[path]: FEW_TOKENS}
    return body


def fuzz(url: str, cases: int, seed: int) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    with httpx.Client(base_url=url, timeout=120) as client:
        document = client.get("/openapi.json").json()
        schema = schemathesis.openapi.from_dict(document)
        every: list[Any] = [result.ok() for result in cast(Any, schema.get_all_operations())]
        operations = [found for found in every if found.path.startswith(PREFIXES)]
        each = -(-cases // (2 * len(operations)))
        for operation in operations:
            described = document["paths"][operation.path][operation.method]
            row = rows.setdefault(operation.label, Row())
            for mode in GenerationMode:
                try_one(client, document, described, operation, mode, row, each, seed)
            print(f"{operation.label}: {sum(row.statuses.values())} cases, {len(row.faults)} faults", file=sys.stderr)
    return rows


def try_one(
    client: httpx.Client,
    document: dict[str, Any],
    described: dict[str, Any],
    operation: Any,
    mode: GenerationMode,
    row: Row,
    count: int,
    seed: int,
) -> None:
    """`count` cases of one operation; a fault is noted, not raised, so that the rest is tried too."""

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = send(client, case, mode)
        row.statuses[answer.status_code] += 1
        fault = conformity(document, described, answer)
        if fault and fault not in row.faults:
            row.faults.append(fault)

    try:
        check()
    except Unsatisfiable:  # nothing about it can be wrong
        return


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--url", help="a gateway that runs already")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    asked = parser.parse_args()
    print(f"{describe()}; seed {asked.seed}", flush=True)
    if asked.url:
        rows = fuzz(asked.url, asked.cases, asked.seed)
    else:
        with running_suite() as url:
            rows = fuzz(url, asked.cases, asked.seed)
    shown = [
        (
            label,
            sum(row.statuses.values()),
            *(sum(count for status, count in row.statuses.items() if status // 100 == kind) for kind in (2, 4, 5)),
            len(row.faults),
        )
        for label, row in rows.items()
    ]
    total = ("all", *(sum(int(row[at]) for row in shown) for at in range(1, 6)))
    print(table(["route", "cases", "2xx", "4xx", "5xx", "faults"], [*shown, total]))
    for label, row in rows.items():
        for fault in row.faults:
            print(f"{label}: {fault}")
    return 1 if total[-1] else 0


if __name__ == "__main__":
    sys.exit(main())
