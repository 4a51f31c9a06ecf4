"""Tokens per CPU-second of the text service, beside `model.generate` and `transformers serve --continuous-batching`.

A 25M Llama with random weights stored in bfloat16, on the CPU with one thread each, greedy, 64 prompt and 64 new
tokens each.
Every server is asked over HTTP; what counts is the CPU time of its process. They take turns, round by round, and the
ones that wait are stopped, so that all see the same neighbours. Figures are medians over the rounds.

    python -m benchmarks.text [--rounds 3] [--dtype auto|bfloat16|float32]
"""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, table

PROMPT_TOKENS = NEW_TOKENS = 64
VOCABULARY = 8192
LLAMA_25M = {
    "vocab_size": VOCABULARY,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 8,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 1024,
}
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
}
READY_TIMEOUT_S = 300


def build(folder: Path) -> None:
    """The model and a byte-level BPE tokenizer that fits it, learnt from the standard library's sources."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    from ml_text import catalog

    sources = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:120]
    bpe = ByteLevelBPETokenizer()
    bpe.train([str(path) for path in sources], vocab_size=VOCABULARY, special_tokens=["<|end|>"], show_progress=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe._tokenizer, eos_token="<|end|>", pad_token="<|end|>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    model = catalog.build("llama", **LLAMA_25M, bos_token_id=None, eos_token_id=None, pad_token_id=0).bfloat16()
    model.save_pretrained(folder)


def prompts(folder: Path) -> Iterator[str]:
    """Texts of PROMPT_TOKENS tokens, never the same twice."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "".join(
        path.read_text(errors="ignore") for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("[d-h]*.py"))
    )
    ids = tokenizer(text)["input_ids"]
    for start in range(0, len(ids) - PROMPT_TOKENS, PROMPT_TOKENS):
        yield tokenizer.decode(ids[start : start + PROMPT_TOKENS])


class Server:
    """A child process on a free port, stopped unless it is its turn."""

    def __init__(
        self, name: str, command: list[str], model: str, log: Path, extra: dict[str, str] | None = None
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.name, self.model, self.log = name, model, log
        command = [word.replace("{port}", str(self.port)) for word in command]
        self.process = subprocess.Popen(
            command, env={**ENVIRONMENT, **(extra or {})}, stdout=log.open("w"), stderr=subprocess.STDOUT
        )

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        self.process.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGSTOP)

    def cpu_s(self) -> float:
        import psutil

        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    async def wait(self, client: Any) -> None:
        import httpx

        for _ in range(READY_TIMEOUT_S * 2):
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended:\n{self.log.read_text()[-2000:]}")
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get(f"http://127.0.0.1:{self.port}/health")).is_success:
                    return
            await asyncio.sleep(0.5)
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")

    async def ask(self, client: Any, prompt: str, stream: bool) -> int:
        """The number of tokens that came back."""
        body = {"model": self.model, "prompt": prompt, "max_tokens": NEW_TOKENS, "temperature": 0, "stream": stream}
        url = f"http://127.0.0.1:{self.port}/v1/completions"
        if not stream:
            answer = await client.post(url, json=body)
            answer.raise_for_status()
            return answer.json()["usage"]["completion_tokens"]
        async with client.stream("POST", url, json=body) as answer:
            answer.raise_for_status()
            seen = [line async for line in answer.aiter_lines() if line.startswith("data: {")]
        assert seen, "an empty stream"
        return NEW_TOKENS


async def measure(server: Server, client: Any, texts: Iterator[str], at_once: int, stream: bool) -> float:
    """Tokens per CPU-second with `at_once` requests in flight, each worker asking two after another."""
    each = 4 if at_once == 1 else 2
    with server.turn():
        started = server.cpu_s()

        async def work(mine: list[str]) -> int:
            return sum([await server.ask(client, text, stream) for text in mine])

        tokens = sum(await asyncio.gather(*(work([next(texts) for _ in range(each)]) for _ in range(at_once))))
        return tokens / (server.cpu_s() - started)


GENERATE = """
import sys, time, torch
from transformers import AutoModelForCausalLM
torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=getattr(torch, sys.argv[2])).eval()
for line in sys.stdin:
    ids = torch.tensor([[int(word) for word in line.split()]])
    started = time.process_time()
    with torch.inference_mode():
        ones = torch.ones_like(ids)
        out = model.generate(ids, attention_mask=ones, max_new_tokens=64, do_sample=False, pad_token_id=0)
    print(out.shape[1] - ids.shape[1], time.process_time() - started, flush=True)
"""


class Generate:
    """`model.generate`, one request at a time, in a process of its own."""

    def __init__(self, folder: Path, dtype: str) -> None:
        command = [sys.executable, "-c", GENERATE, str(folder), dtype]
        self.process = subprocess.Popen(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def measure(self, seed: int, count: int = 4) -> float:
        assert self.process.stdin and self.process.stdout
        tokens = seconds = 0.0
        for i in range(count):
            ids = " ".join(str(2 + (seed * 977 + i * 131 + k * 37) % (VOCABULARY - 2)) for k in range(PROMPT_TOKENS))
            self.process.stdin.write(ids + "\n")
            self.process.stdin.flush()
            new, took = self.process.stdout.readline().split()
            tokens, seconds = tokens + int(new), seconds + float(took)
        return tokens / seconds


async def run(folder: Path, rounds: int, dtype: str) -> dict[tuple[str, str], list[float]]:
    import httpx

    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    texts = prompts(folder)
    theirs = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--continuous-batching"]
    theirs += ["--port", "{port}", "--host", "127.0.0.1", "--device", "cpu", "--cb-block-size", "32"]
    theirs += ["--cb-num-blocks", "512", "--cb-max-batch-tokens", "512"]
    ours = [sys.executable, "-m", "ml_text.serve", "--model", str(folder), "--port", "{port}"]
    settings = {"ML_TEXT_DTYPE": dtype, "DATA_DIR": str(folder), "LOG_LEVEL": "WARNING"}
    servers = [
        Server("transformers serve", theirs, str(folder), folder / "theirs.log"),
        Server("ml_text.serve", ours, folder.name, folder / "ours.log", settings),
    ]
    generate = {name: Generate(folder, name) for name in ("bfloat16", "float32")}
    limits = httpx.Limits(max_connections=64)
    try:
        async with httpx.AsyncClient(timeout=600, limits=limits) as client:
            for server in servers:
                await server.wait(client)
                for _ in range(2):
                    await server.ask(client, next(texts), False)  # whatever is made at the first request
                server.process.send_signal(signal.SIGSTOP)
            for round in range(rounds):
                started = time.monotonic()
                for name, child in generate.items():
                    found[f"model.generate, {name}", "1"].append(child.measure(round))
                for at_once, stream in ((1, False), (16, False), (32, False), (16, True)):
                    for server in servers:
                        rate = await measure(server, client, texts, at_once, stream)
                        found[server.name, f"{at_once}{' streamed' * stream}"].append(rate)
                print(f"round {round + 1} of {rounds}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    finally:
        for server in servers:
            server.stop()
        for child in generate.values():
            child.process.kill()
            child.process.wait()
    return found


def report(found: dict[tuple[str, str], list[float]]) -> bool:
    middle = {key: statistics.median(values) for key, values in found.items()}
    columns = ["1", "16", "32", "16 streamed"]
    names = list(dict.fromkeys(name for name, _ in middle))
    print(
        table(
            ["tokens per CPU-second, at once:", *columns],
            [[n, *(middle.get((n, c), "") for c in columns)] for n in names],
        )
    )
    ours, theirs, alone = "ml_text.serve", "transformers serve", "model.generate, bfloat16"
    claims = [
        ("16 at once / one generate at a time (bfloat16)", middle[ours, "16"] / middle[alone, "1"], 8.0),
        (
            "16 at once / one generate at a time (float32)",
            middle[ours, "16"] / middle["model.generate, float32", "1"],
            0.0,
        ),
        ("16 at once / transformers serve", middle[ours, "16"] / middle[theirs, "16"], 1.0),
        ("32 at once / transformers serve", middle[ours, "32"] / middle[theirs, "32"], 1.2),
    ]
    print()
    print(
        table(["ratio", "measured", "goal", ""], [[n, v, g or "", "ok" if v >= g else "MISSED"] for n, v, g in claims])
    )
    return all(value >= goal for _, value, goal in claims)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--dtype", default="auto", choices=["auto", "bfloat16", "float32"], help="what ml_text computes in"
    )
    args = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "llama-25m"
        build(folder)
        found = asyncio.run(run(folder, args.rounds, args.dtype))
    print(f"\n25.2M Llama, weights stored in bfloat16; ml_text computes in {args.dtype}; {args.rounds} rounds\n")
    return 0 if report(found) else 1


if __name__ == "__main__":
    sys.exit(main())
