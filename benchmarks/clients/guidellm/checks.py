"""guidellm: short load tests with prompts that it makes itself; it asks GET /health before it starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("route", ["/v1/chat/completions", "/v1/completions", "/v1/responses"])
def test_a_short_run(tmp_path: Path, route: str):
    backend = {
        "kind": "openai_http",
        "target": os.environ["OPENAI_BASE_URL"].removesuffix("/v1"),
        "model": os.environ["CHAT_MODEL"],
        "request_format": route,
        "api_key": os.environ["OPENAI_API_KEY"],
    }
    scenario = {
        "backend": backend,
        "profile": {"kind": "concurrent", "streams": [2]},
        "constraints": [{"kind": "max_requests", "count": 6}],
        "tokenizer": {"kind": "huggingface_auto", "model": os.environ["CHAT_TOKENIZER"]},
        "data": [{"kind": "synthetic_text", "prompt_tokens": 32, "output_tokens": 8}],
        "outputs": [{"kind": "json", "path": str(tmp_path / "out.json")}],
    }
    (tmp_path / "scenario.json").write_text(json.dumps({"metadata": {"name": "short"}, "spec": scenario}))
    command = [sys.executable, "-m", "guidellm", "run", "-c", str(tmp_path / "scenario.json")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-1500:] or ran.stdout[-1500:]
    (benchmark,) = json.loads((tmp_path / "out.json").read_text())["benchmarks"]
    totals = benchmark["metrics"]["request_totals"]
    assert totals["successful"] == 6 and totals["errored"] == 0
