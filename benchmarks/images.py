"""Pictures: many requests at once against diffusers' own loop, LoRA swaps, and the time of one picture.

python -m benchmarks.images [--model FOLDER] [--requests 8] [--swaps 50]

Without a model it is the starter, or its architecture with random weights. Goals: 1.5 times the pictures per second of
a loop that answers one after the other; a swap within 200 ms; every picture from the adapter that was asked for; 20
steps at the model's own size within 3 s on one core (OMP_NUM_THREADS=1). CPU seconds are this process's own, whatever
its neighbours do.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe, table

STEPS, FEW_STEPS, GUIDANCE, ROUNDS, ADAPTERS = 20, 4, 3.0, 3, 6
PROMPTS = ["a red cup on a white table", "a city at night", "a blue shoe", "a forest in the morning"]
Row = tuple[str, object, str]


def build(folder: Path) -> Path:
    """The starter's architecture with random weights."""
    import torch

    from ml_image.data import tokenizer
    from ml_image.models import autoencoder, diffusion
    from ml_image.models.presets import PRESETS

    preset = PRESETS["starter"]
    torch.manual_seed(0)
    words = tokenizer.train(PROMPTS, preset.vocab_size, preset.prompt_tokens, folder / "words")
    vae = autoencoder.build(preset.decoder_width, preset.decoder_blocks)
    text = diffusion.build_text_encoder(preset, words)
    diffusion.save(diffusion.assemble(vae, text, words, diffusion.build_unet(preset)), folder / "model")
    return folder / "model"


def open_plain(folder: Path) -> Any:
    from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def draw(pipe: Any, seed: int, side: int, rescale: float, steps: int = STEPS) -> Any:
    """One picture by diffusers' own pipeline."""
    import torch

    with torch.inference_mode():
        return pipe(
            PROMPTS[seed % len(PROMPTS)],
            num_inference_steps=steps,
            guidance_scale=GUIDANCE,
            guidance_rescale=rescale,
            width=side,
            height=side,
            generator=torch.Generator().manual_seed(seed),
        ).images[0]


async def paint(engine: Any, seed: int, side: int, model: str | None = None, steps: int = STEPS) -> Any:
    from ml_image.engine import Request

    request = Request(
        PROMPTS[seed % len(PROMPTS)], model=model, size=(side, side), steps=steps, guidance=GUIDANCE, seed=seed
    )
    async with engine.open(request) as answer:
        return [shown.picture async for shown in answer][-1]


async def together(engine: Any, plain: Any, side: int, rescale: float, requests: int) -> list[Row]:
    """The two take turns, so that both have the same neighbours."""
    await paint(engine, 0, side)
    draw(plain, 0, side, rescale)
    rates: list[tuple[float, float]] = []
    spent: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        started, worked = time.perf_counter(), time.process_time()
        for seed in range(requests):
            draw(plain, seed, side, rescale)
        between, half = time.perf_counter(), time.process_time()
        await asyncio.gather(*(paint(engine, seed, side) for seed in range(requests)))
        spent.append(((half - worked) / requests, (time.process_time() - half) / requests))
        rates.append((requests / (between - started), requests / (time.perf_counter() - between)))
    loop, ours = (statistics.median(pair[at] for pair in rates) for at in (0, 1))
    least = [min(pair[at] for pair in spent) for at in (0, 1)]
    ratio = statistics.median(pair[1] / pair[0] for pair in rates)
    return [
        ("diffusers, one after the other: pictures/s", loop, ""),
        (f"this service, {requests} requests at once: pictures/s", ours, ""),
        ("ratio, median of the rounds", ratio, "1.5 or more"),
        ("CPU seconds a picture, loop", least[0], ""),
        ("CPU seconds a picture, service", least[1], ""),
        ("ratio of CPU seconds", least[0] / least[1], ""),
    ]


def publish(folder: Path, data_dir: Path, base: str) -> dict[str, Path]:
    """Random adapters of different ranks on the attention, as the trainer would save them."""
    import torch
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    from shared import registry

    made: dict[str, Path] = {}
    for number in range(ADAPTERS):
        pipe = open_plain(folder)
        torch.manual_seed(number)
        config = LoraConfig(r=4 << number % 3, target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False)
        pipe.unet.add_adapter(config)
        target = data_dir / f"made-{number}"
        pipe.save_lora_weights(
            target,
            unet_lora_layers=get_peft_model_state_dict(pipe.unet),
            unet_lora_adapter_metadata=pipe.unet.peft_config["default"].to_dict(),
        )
        name = f"adapter-{number}"
        registry.publish(data_dir, name, target, {"service": "image", "base": base})
        made[name] = target
    return made


def time_swaps(engine: Any, made: dict[str, Path], swaps: int) -> Row:
    """Between steps, one adapter after the other, more than there are slots."""
    (resident,) = engine.pool.residents
    sources = [engine.sources.find(name) for name in made]
    clock: list[float] = []
    spent: list[float] = []
    for at in range(swaps):
        started, worked = time.perf_counter(), time.process_time()
        resident.painter.adapters.use(sources[at % len(sources)])
        spent.append((time.process_time() - worked) * 1000)
        clock.append((time.perf_counter() - started) * 1000)
    resident.painter.adapters.use(None)
    cpu, shown = spent[len(sources) :], clock[len(sources) :]
    text = f"{statistics.median(cpu):.0f} CPU (longest {max(cpu):.0f}), {statistics.median(shown):.0f} on the clock"
    return f"a swap from disk, {ADAPTERS} adapters in {engine.settings.adapters} slots: ms", text, "200 or less"


async def right_ones(engine: Any, made: dict[str, Path], folder: Path, side: int, rescale: float, swaps: int) -> Row:
    """How many of the pictures, eight requests at a time, are those of their adapter."""
    expected: dict[str, Any] = {}
    for name, adapter in made.items():
        pipe = open_plain(folder)
        pipe.load_lora_weights(str(adapter), weight_name="pytorch_lora_weights.safetensors")
        expected[name] = np.asarray(draw(pipe, 1, side, rescale, FEW_STEPS), dtype=int)
    (resident,) = engine.pool.residents
    before, chance, turns = resident.painter.adapters.swaps, random.Random(0), asyncio.Semaphore(8)
    right = asked = 0

    async def ask(name: str) -> bool:
        async with turns:
            found = np.asarray(await paint(engine, 1, side, name, FEW_STEPS), dtype=int)
        nearest = min(expected, key=lambda other: float(np.abs(found - expected[other]).mean()))
        return nearest == name and float(np.abs(found - expected[name]).mean()) < 1

    while resident.painter.adapters.swaps - before < swaps:
        names = chance.choices(list(made), k=16)
        right += sum(await asyncio.gather(*(ask(name) for name in names)))
        asked += len(names)
    swapped = resident.painter.adapters.swaps - before
    return f"pictures of the right adapter, {swapped:,} swaps under 8 requests", f"{right} of {asked}", "all"


async def one_picture(engine: Any, side: int, label: str, goal: str) -> Row:
    started, spent = time.perf_counter(), time.process_time()
    await paint(engine, 0, side)
    text = f"{time.process_time() - spent:.2f} CPU, {time.perf_counter() - started:.2f} on the clock"
    return f"{STEPS} steps at {side} px, {label}: s", text, goal


def told(row: Row) -> Row:
    """Said at once: a machine with neighbours takes its time."""
    print(f"{row[0]}: {row[1]}", file=sys.stderr, flush=True)
    return row


async def measure(folder: Path, data_dir: Path, requests: int, swaps: int) -> list[Row]:
    import torch

    from ml_image.engine import Engine
    from ml_image.settings import ImageSettings
    from ml_image.sources import Sources
    from shared.settings import SharedSettings

    shared = SharedSettings(data_dir=data_dir, log_level="WARNING")
    settings = ImageSettings(_env_file=None, shared=shared)  # pyright: ignore[reportCallIssue]
    sources = Sources(settings)
    base = sources.fetch(str(folder)).name
    engine = Engine(settings, sources, base)
    await engine.load(base)
    (resident,) = engine.pool.residents
    defaults, plain = resident.base.defaults, open_plain(folder)
    side, threads = defaults.width, f"threads: {torch.get_num_threads()}"
    rows: list[Row] = []
    try:
        rows.append(told(await one_picture(engine, side, threads, "3 or less")))
        rows.append(told(await one_picture(engine, 512, threads, "30 or less")))
        rows += map(told, await together(engine, plain, side, defaults.rescale, requests))
        made = publish(folder, data_dir, base)
        rows.append(told(time_swaps(engine, made, swaps)))
        rows.append(told(await right_ones(engine, made, folder, side, defaults.rescale, swaps)))
    finally:
        await engine.close()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--requests", type=int, default=8)
    parser.add_argument("--swaps", type=int, default=50)
    args = parser.parse_args()
    from ml_image.settings import SHIPPED

    with tempfile.TemporaryDirectory() as name:
        shipped = SHIPPED["starter"]
        folder = args.model or (shipped if (shipped / "model_index.json").is_file() else build(Path(name)))
        rows = asyncio.run(measure(folder, Path(name) / "data", args.requests, args.swaps))
    print(describe() + "\n")
    print(table(["figure", "measured", "goal"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
