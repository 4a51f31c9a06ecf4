"""What a run shows: one line that renews itself on a terminal, plain lines elsewhere, and events.jsonl for programs.

Each line of events.jsonl is one JSON object with `type`, `step`, `total_steps` and `time` (Unix seconds), and besides

    metrics   of the last steps: loss, learning_rate, tokens_per_s, seconds_left
              of a validation: validation_loss, best (whether it is the lowest so far)
    message   level (info or warn) and message, a sentence for people
              images: what the model makes by now, [{"prompt": …, "b64_json": PNG}]

Lines are appended whole; a resumed run goes on in the same file, so a step may come twice.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from shared.jobs import fence


class Progress:
    """`step` may be called at every step; it writes an event each `every` steps, where the caller reads the loss."""

    def __init__(
        self,
        output_dir: Path,
        total: int,
        start: int,
        deadline_s: float | None = None,
        attempt: str | None = None,
        shown: bool = True,
    ) -> None:
        """`shown`: False in all processes but one."""
        output_dir.mkdir(parents=True, exist_ok=True)
        self.output_dir, self.attempt, self.shown = output_dir, attempt, shown
        self.file = (output_dir / "events.jsonl" if shown else Path(os.devnull)).open("a", buffering=1)
        self.terminal = shown and sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=start, disable=not self.terminal, dynamic_ncols=True, unit="step")
        self.total = total
        self.step = self.first = start
        self.deadline_s = deadline_s
        self.started = self.marked = time.monotonic()
        self.tokens = 0
        self.printed = 0.0

    def advance(self, tokens: int) -> None:
        self.step += 1
        self.tokens += tokens
        self.bar.update()

    def seconds_left(self) -> float:
        spent = time.monotonic() - self.started
        done = max(1, self.step - self.first)
        left = spent / done * (self.total - self.step)
        return left if self.deadline_s is None else min(left, max(0.0, self.deadline_s - spent))

    def log(self, loss: float, learning_rate: float) -> None:
        """The tokens since the last call over the time since then, `loss` their mean."""
        now = time.monotonic()
        rate = self.tokens / max(1e-9, now - self.marked)
        self.tokens, self.marked = 0, now
        left = self.seconds_left()
        self.event(
            "metrics",
            loss=round(loss, 5),
            learning_rate=learning_rate,
            tokens_per_s=round(rate),
            seconds_left=round(left),
        )
        line = f"loss {loss:.4f} · {rate:,.0f} tokens/s · {clock(left)} left"
        if self.terminal:
            self.bar.set_postfix_str(line)
        elif now - self.printed >= 10 or self.step == self.total:  # a log file wants fewer lines than a screen
            self.printed = now
            self.say(f"step {self.step}/{self.total} · {line}")

    def validated(self, loss: float, best: bool) -> None:
        self.event("metrics", validation_loss=round(loss, 5), best=best)
        self.say(f"step {self.step}: validation loss {loss:.4f}{', the best so far' if best else ''}")

    def message(self, text: str, level: Literal["info", "warn"] = "info") -> None:
        self.event("message", level=level, message=text)
        self.say(text)

    def pictures(self, images: list[dict[str, str]]) -> None:
        """What the model makes by now: `prompt`, and the PNG as base64 in `b64_json`."""
        self.event("message", level="info", message=f"pictures at step {self.step}", images=images)

    def sounds(self, sounds: list[dict[str, str]]) -> None:
        """What the model says or plays by now: `prompt`, `format`, and the file as base64 in `b64_json`."""
        self.event("message", level="info", message=f"sound at step {self.step}", sounds=sounds)

    def event(self, kind: Literal["metrics", "message"], **values: Any) -> None:
        if not self.shown:
            return
        fence.check(self.output_dir, self.attempt)
        line = {"type": kind, "step": self.step, "total_steps": self.total, **values, "time": round(time.time(), 3)}
        self.file.write(json.dumps(line) + "\n")

    def say(self, line: str) -> None:
        if self.terminal:
            self.bar.write(line, file=sys.stderr)
        elif self.shown:
            print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        self.bar.close()
        self.file.close()


def clock(seconds: float) -> str:
    """75 -> '1:15', 7325 -> '2:02:05'."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
