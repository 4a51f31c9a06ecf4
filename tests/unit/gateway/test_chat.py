"""The command-line chat: as a process with a pipe, in a real terminal, and its memory."""

import contextlib
import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.chat import Chat, Painter, talk
from gateway.client import UnifiedAI
from shared.errors import ServiceError
from tests.fakes.process import openai_server

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "GATEWAY_API_KEY": "any", "TERM": "xterm"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with openai_server("--context", "60") as url:
        yield url


@pytest.fixture
def ai(url: str) -> Iterator[UnifiedAI]:
    with UnifiedAI(url, "any", max_retries=0) as ai:
        yield ai


def command(url: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "gateway.chat", "--url", url, *more]


def piped(url: str, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(url, *more), input=text, capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=60
    )


def test_piped(url: str):
    done = piped(url, "my name is Ana\nwho am I\n/reset\nwho am I\n/exit\nnever asked\n", "--model", "recall")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout == "my name is Ana\nmy name is Ana | my name is Ana | who am I\nwho am I\n"


def test_system_message(url: str):
    assert piped(url, "hi", "--model", "recall", "--system", "be brief").stdout == "be brief | hi\n"


def test_an_error_is_told_and_the_chat_goes_on(url: str):
    done = piped(url, "word " * 100 + "\n/what\nhi\n", "--model", "recall")
    assert done.returncode == 1
    assert "maximum context length" in done.stderr and "request id" in done.stderr and "/reset" in done.stderr
    assert done.stdout.splitlines()[-1] == "hi"


def test_nobody_there():
    done = piped("http://127.0.0.1:9", "hi\n")
    assert done.returncode == 1 and "cannot be reached" in done.stderr and "Traceback" not in done.stderr


def test_the_oldest_is_forgotten_when_the_context_is_full(ai: UnifiedAI):
    chat = Chat(ai, model="recall")
    for number in range(12):
        said = "".join(chat.ask(f"message {number}"))
        assert said.endswith(f"message {number}")
    assert "message 0 " not in said
    assert chat.said[0]["role"] == "user"


def test_an_error_leaves_no_trace(ai: UnifiedAI):
    chat = Chat(ai, model="recall")
    list(chat.ask("first"))
    chat.options["model"] = "fail-500"
    with pytest.raises(ServiceError):
        list(chat.ask("second"))
    assert [said["content"] for said in chat.said] == ["first", "first"]


def test_what_was_read_of_a_stopped_answer_is_remembered(ai: UnifiedAI):
    chat = Chat(ai, model="slow")
    answer = chat.ask("tell me something long")
    begun = next(piece for piece in answer if piece)
    answer.close()
    assert chat.said[-1] == {"role": "assistant", "content": begun}


def test_code_is_coloured_line_by_line():
    out = io.StringIO()
    painter = Painter(out)
    shown: list[str] = []
    for piece in ("Like ", "this:\n``", '`python\ndef f():\n    """one\n', '    two"""\n', "```\nand `so` on"):
        painter.write(piece)
        shown.append(out.getvalue())
    painter.finish()
    assert shown[0] == "Like " and shown[1] == "Like this:\n"  # prose at once, what may be a fence waits
    assert "\x1b[" in shown[2] and "def" in shown[2]
    two = shown[3].removeprefix(shown[2])
    assert two.strip() != 'two"""' and "\x1b[" in two  # knows that it is inside a string that began above
    assert shown[4].endswith("```\nand `so` on")
    plain = [line for line in out.getvalue().splitlines() if "\x1b[" not in line]
    assert plain == ["Like this:", "```python", "```", "and `so` on"]


def test_an_unknown_language_stays_plain():
    out = io.StringIO()
    painter = Painter(out)
    painter.write("```klingon\nQapla'\n\n  end")
    painter.finish()
    assert out.getvalue() == "```klingon\nQapla'\n\n  end"


def test_no_colours_without_a_terminal(ai: UnifiedAI):
    out, err = io.StringIO(), io.StringIO()
    assert talk(Chat(ai, model="recall"), ["```python\ndef f(): pass\n```"], out, err) == 0
    assert out.getvalue() == "```python\ndef f(): pass\n```\n"


def heed_ctrl_c() -> None:
    """A shell's background jobs, and whatever they start, ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Terminal:
    """A chat in a pseudo-terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            arguments,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=ROOT,
            env=ENVIRONMENT,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str, timeout_s: float = 90.0) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.seen:
            assert time.monotonic() < deadline, f"{text!r} not in {self.seen!r}"
            if select.select([self.master], [], [], 0.2)[0]:
                self.seen += os.read(self.master, 65536).decode()

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self.master, text.encode())

    def interrupt_until(self, text: str) -> None:
        """Ctrl-C as a person presses it: again if nothing happens. CPython's readline heeds a signal only
        inside its `select`; one that comes while it handles a key waits for the next."""
        self.seen = ""
        for _ in range(10):
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(AssertionError):
                return self.wait_for(text, 5.0)
        raise AssertionError(f"{text!r} not in {self.seen!r}")


def test_ctrl_c_stops_the_answer_and_not_the_chat(url: str):
    terminal = Terminal(command(url, "--model", "slow"))
    try:
        terminal.wait_for("you> ")
        terminal.type(" ".join(f"w{number}" for number in range(50)) + "\n")
        terminal.wait_for("w49\r\n")  # the echo of what was typed
        terminal.seen = terminal.seen.split("w49\r\n", 1)[1]
        terminal.wait_for("w3 ")  # the answer, which takes seconds
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for("you> ")
        assert "w49" not in terminal.seen
        terminal.type("not this")
        terminal.wait_for("not this")
        terminal.interrupt_until("you> ")  # at the prompt it only drops the line
        terminal.type("/exit\n")
        assert terminal.process.wait(20) == 0
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(terminal.master)


def test_leaving_early_closes_the_stream():
    """Otherwise the model would write on for nobody."""
    closed: list[bool] = []

    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b'data: {"choices": [{"delta": {"content": "on and "}}]}\n\n'

        def close(self) -> None:
            closed.append(True)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    chat = Chat(UnifiedAI("http://gateway", transport=transport))
    answer = chat.ask("go on")
    assert next(answer) == "on and "
    answer.close()
    assert closed
