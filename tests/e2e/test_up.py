"""`make up` as a supervisor: it says what is wrong, restarts what dies, and leaves no process behind."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import psutil
import pytest

from shared import registry
from tests.e2e.conftest import Suite, start_suite, status_of, stop_suite, wait_until_ready
from tests.e2e.tiny import build_tiny_llama

OPENAI_ONLY = {"MODEL_PROVIDER": "openai", "OPENAI_API_KEY": "not-a-key", "MODEL_TEXT": "gpt-4o-mini"}


def children(suite: Suite) -> list[psutil.Process]:
    return psutil.Process(suite.process.pid).children(recursive=True)


def child(suite: Suite, module: str) -> psutil.Process:
    return next(one for one in children(suite) if module in one.cmdline())


def wait_for(what: Callable[[], bool], suite: Suite, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, suite.log
        time.sleep(0.1)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=0.1)[1]


def test_a_killed_service_comes_back_and_ctrl_c_leaves_nothing(tmp_path: Path):
    build_tiny_llama(tmp_path / "tiny")
    registry.publish(tmp_path / "data", "tiny", tmp_path / "tiny", {"service": "text"})
    suite = start_suite(tmp_path, ML_TEXT_MODEL="tiny", MODEL_TEXT="tiny")
    try:
        wait_until_ready(suite)
        for module, url in (("ml_text.serve", suite.text_url), ("gateway.main", suite.url)):
            killed = child(suite, module)
            killed.kill()
            wait_for(lambda url=url, killed=killed: status_of(f"{url}/ready") == 200 and not killed.is_running(), suite)
        assert "the text service ended with status -9; starting it again" in suite.log
        assert "the gateway service ended with status -9; starting it again" in suite.log
        body = {"model": "tiny", "prompt": "the quick", "max_tokens": 4}
        assert httpx2.post(f"{suite.url}/v1/completions", json=body, timeout=30).status_code == 200
        running = children(suite)
        assert len(running) >= 2
        assert stop_suite(suite, signal.SIGINT) == 0
        assert all_gone(running), suite.log
    finally:
        stop_suite(suite)


def test_services_die_with_a_supervisor_that_is_killed(tmp_path: Path):
    suite = start_suite(tmp_path, **OPENAI_ONLY)
    try:
        wait_for(lambda: status_of(f"{suite.url}/health") == 200, suite)
        running = children(suite)
        assert running
        assert stop_suite(suite, signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: all_gone(running), suite, seconds=10)
    finally:
        stop_suite(suite)


def test_with_openai_no_text_service_is_started(tmp_path: Path):
    suite = start_suite(tmp_path, **OPENAI_ONLY)
    try:
        wait_for(lambda: status_of(f"{suite.url}/health") == 200, suite)
        assert [one.cmdline()[-1] for one in children(suite)] == ["gateway.main"]
        assert "starting gateway\n" in suite.log
        assert stop_suite(suite, signal.SIGTERM) == 0
    finally:
        stop_suite(suite)


@pytest.mark.parametrize("name", ["GATEWAY_PORT", "ML_TEXT_PORT"])
def test_a_port_in_use_is_named(tmp_path: Path, name: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        suite = start_suite(tmp_path, **{name: str(port)})
        assert suite.process.wait(30) == 1
    assert f"port {port}" in suite.log and f"{name}={port + 100} make up" in suite.log
    assert "Traceback" not in suite.log


def test_a_wrong_setting_stops_the_start_and_says_why(tmp_path: Path):
    suite = start_suite(tmp_path, MODEL_PROVIDER="opnai")
    assert suite.process.wait(60) == 1
    assert "opnai" in suite.log and "custom" in suite.log and "openai" in suite.log


def test_a_port_that_is_no_number_is_named(tmp_path: Path):
    suite = start_suite(tmp_path, GATEWAY_PORT="eighty")
    assert suite.process.wait(30) == 1
    assert "GATEWAY_PORT=eighty is not a port number" in suite.log
