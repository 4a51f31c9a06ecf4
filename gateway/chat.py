"""The command-line chat: `python -m gateway.chat [--model NAME] [--url URL] [--system TEXT] [--max-tokens N]`.

Remembers what was said, writes the answer as it comes, colours code. Ctrl-C stops an answer, /reset forgets the chat,
/exit or Ctrl-D leaves. Without a terminal each line of the input is a message, and nothing is coloured.
"""

import argparse
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from importlib import import_module
from typing import Any, TextIO

from pygments import highlight
from pygments.formatters import TerminalFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
from pygments.util import ClassNotFound

from gateway.client import UnifiedAI
from shared.errors import ServiceError

FENCE = "```"
HELP = "/reset forgets the chat, /exit leaves, Ctrl-C stops an answer"


class Painter:
    """Writes text as it comes; the lines of a fenced block wait until they are complete and then get their colours."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.line = ""
        self.shown = 0
        self.block: str | None = None
        self.lexer: Lexer | None = None

    def write(self, text: str) -> None:
        for piece in text.splitlines(keepends=True):
            self.line += piece
            if self.line.endswith("\n"):
                self._end_line()
            elif self.block is None and not FENCE.startswith(self.line[: len(FENCE)]):
                self._show(self.line)

    def finish(self) -> None:
        """The answer is over: show what still waits."""
        if self.line:
            self._end_line()
        self.block = None

    def _end_line(self) -> None:
        if self.line.startswith(FENCE):
            self.block, self.lexer = ("", _lexer(self.line)) if self.block is None else (None, None)
        if self.block is not None and not self.line.startswith(FENCE):
            self.block += self.line
            self._show(self._coloured())
        else:
            self._show(self.line)
        self.line, self.shown = "", 0

    def _coloured(self) -> str:
        """The block's last line. The whole block is read each time: a line's colours depend on those before."""
        if self.block is None or self.lexer is None:
            return self.line
        painted = str(highlight(self.block, self.lexer, TerminalFormatter[str]()))
        return painted.splitlines(keepends=True)[-1]

    def _show(self, text: str) -> None:
        self.out.write(text[self.shown :])
        self.shown = len(text)


def _lexer(fence: str) -> Lexer | None:
    try:
        return get_lexer_by_name(fence.strip("`~ \r\n").split(" ")[0], stripnl=False)
    except ClassNotFound:
        return None


class Chat:
    """What was said so far, and how it goes on."""

    def __init__(self, ai: UnifiedAI, system: str | None = None, **options: Any) -> None:
        """`options` are those of /v1/chat/completions."""
        self.ai = ai
        self.options = options
        self.opening = [{"role": "system", "content": system}] if system else []
        self.said: list[dict[str, str]] = []

    def reset(self) -> None:
        self.said = []

    def ask(self, message: str) -> Generator[str]:
        """The answer in pieces. It is remembered as far as it was read, with the question; an error leaves no trace."""
        answer = ""
        try:
            for piece in self._pieces({"role": "user", "content": message}):
                answer += piece
                yield piece
        finally:
            if answer:
                asked = {"role": "user", "content": message}
                self.said += [asked, {"role": "assistant", "content": answer}]

    def _pieces(self, asked: dict[str, str]) -> Iterator[str]:
        """Forgets the oldest exchange, and again, as long as the chat is longer than the model's context."""
        while True:
            try:
                yield from self.ai.stream_chat([*self.opening, *self.said, asked], **self.options)
                return
            except ServiceError as error:
                if error.code != "context_length_exceeded" or not self.said:
                    raise
            self.said = self.said[2:]


def talk(chat: Chat, messages: Iterable[str], out: TextIO, err: TextIO) -> int:
    """Answer each message in turn; 1 when an answer failed, else 0."""
    status = 0
    painter = Painter(out) if out.isatty() else None
    for message in messages:
        command = message.strip()
        if command == "/exit":
            break
        if command == "/reset":
            chat.reset()
        elif command.startswith("/"):
            err.write(f"{HELP}\n")
        elif command:
            status |= _answer(chat.ask(command), out, err, painter)
    return status


def _answer(pieces: Generator[str], out: TextIO, err: TextIO, painter: Painter | None) -> int:
    write = painter.write if painter else out.write
    failure: ServiceError | None = None
    with closing(pieces):
        try:
            for piece in pieces:
                write(piece)
                out.flush()
        except KeyboardInterrupt:
            pass  # what came so far stays, in the window and in the chat
        except ServiceError as error:
            failure = error
    if painter:
        painter.finish()
    out.write("\n")
    if failure is None:
        return 0
    err.write(f"error: {'; '.join([str(failure), *getattr(failure, '__notes__', [])])}\n")
    return 1


def typed() -> Iterator[str]:
    """Lines from the keyboard, until Ctrl-D; Ctrl-C drops the line."""
    import_module("readline")  # gives input() its history and line editing

    while True:
        try:
            yield input("you> ")
        except KeyboardInterrupt:
            print()
        except EOFError:
            print()
            return


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gateway.chat", description="Chat with a model behind the gateway.")
    parser.add_argument("--model", help="a name out of /v1/models; default: the gateway's own choice")
    parser.add_argument("--url", help="the gateway; default: GATEWAY_URL, else http://127.0.0.1:8000")
    parser.add_argument("--system", help="what the model is told before the chat begins")
    parser.add_argument("--max-tokens", type=int, help="the longest answer")
    options = parser.parse_args(arguments)
    interactive = sys.stdin.isatty()
    if interactive:
        print(HELP)
    with UnifiedAI(base_url=options.url) as ai:
        wanted = {"model": options.model, "max_completion_tokens": options.max_tokens}
        chat = Chat(ai, options.system, **{name: value for name, value in wanted.items() if value is not None})
        status = talk(chat, typed() if interactive else sys.stdin, sys.stdout, sys.stderr)
    return 0 if interactive else status


if __name__ == "__main__":
    sys.exit(main())
