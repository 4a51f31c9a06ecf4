"""Same seed, same text: how many answers are the same alone and with 15 other requests running.

python -m benchmarks.determinism [--answers 20]
"""

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import describe, table
from benchmarks.text import VOCABULARY, build

NEW_TOKENS = 64
OTHERS = 15


async def same(folder: Path, dtype: str, answers: int) -> int:
    """Of `answers` prompts with a seed each, how many gave the same text both times."""
    from ml_text.engine import Engine, Request
    from ml_text.settings import TextSettings
    from ml_text.sources import Sources
    from shared.settings import SharedSettings

    shared = SharedSettings(data_dir=folder / "data", log_level="WARNING")
    settings = TextSettings(_env_file=None, shared=shared, dtype=dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]
    sources = Sources(settings)
    engine = Engine(settings, sources, sources.fetch(str(folder)).name)

    async def say(seed: int, tokens: int = NEW_TOKENS) -> str:
        chance = random.Random(seed)
        prompt = [chance.randrange(1, VOCABULARY) for _ in range(chance.randrange(4, 200))]
        sampling = {"seed": seed, "temperature": 1.0}
        async with engine.open(
            Request(prompt=prompt, max_tokens=tokens, sampling=sampling, stream=False, ignore_eos=True)
        ) as answer:
            return "".join([delta.text async for delta in answer])

    count = 0
    try:
        for seed in range(answers):
            alone = await say(seed)
            others = [say(1000 + seed * OTHERS + i, NEW_TOKENS // 2 + 4 * i) for i in range(OTHERS)]
            count += (await asyncio.gather(say(seed), *others))[0] == alone
    finally:
        await engine.close()
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=20)
    answers = parser.parse_args().answers
    print(describe())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "llama-25m"
        build(folder)
        found = {dtype: asyncio.run(same(folder, dtype, answers)) for dtype in ("float32", "bfloat16")}
    print(f"\n25.2M Llama, random weights, temperature 1, {NEW_TOKENS} tokens, alone and with {OTHERS} others\n")
    print(table(["computed in", "same text", "of"], [[dtype, count, answers] for dtype, count in found.items()]))
    return 0 if found["float32"] == answers else 1


if __name__ == "__main__":
    sys.exit(main())
