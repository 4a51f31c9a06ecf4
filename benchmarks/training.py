"""LoRA training: tokens per CPU-second of our loop beside a plain transformers.Trainer, and what QLoRA keeps in memory.

Both train rank 16 on all linear layers of the same 25M Llama with random weights, on the same records (drawn from the
starter's corpus; the lengths are printed), one thread, AdamW, the same schedule, the same tokens of records in a step.
The Trainer pads to the longest of a batch and groups by length; ours packs. bf16 autocast where the processor has it,
else fp32 for both. They take turns, each round in a process of its own; what counts is CPU time of the steps.

    python -m benchmarks.training [--rounds 3] [--steps 40]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, table

VOCABULARY = 8192
LLAMA_25M = {
    "vocab_size": VOCABULARY,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 8,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
GPT2_90M = {"vocab_size": VOCABULARY, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024}
LENGTH, ROWS_PER_STEP, WARMUP, RATE, LOWEST = 512, 4, 5, 2e-3, 0.05
RECORDS, HELD_OUT = 1200, 60
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1"}


def build(family: str, config: dict[str, Any]) -> Any:
    import torch

    from ml_text import catalog

    torch.manual_seed(0)
    return catalog.build(family, **config, bos_token_id=None, eos_token_id=None, pad_token_id=0)


def read_samples(corpus: Path) -> tuple[list[Any], list[Any]]:
    """Train and held out, as token samples of the starter's tokenizer."""
    from ml_text import catalog, data
    from ml_text.settings import STARTER

    tokenizer = catalog.load_tokenizer(STARTER)
    samples = list(data.encode(data.read([corpus]), tokenizer, LENGTH, data.Skipped()))
    return samples[HELD_OUT:], samples[:HELD_OUT]


def adapted() -> Any:
    from shared.training import lora

    return lora.attach(build("llama", LLAMA_25M), "llama-25m", 16, 32, 0.0).train()


def held_out_loss(model: Any, samples: list[Any]) -> float:
    """Nats per learnt token, one sample at a time."""
    import torch
    from torch.nn import functional as F

    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for sample in samples:
            ids = torch.tensor(sample.ids, dtype=torch.long)
            logits = model(input_ids=ids[None], use_cache=False).logits[0, :-1]
            learnt = torch.from_numpy(sample.loss[1:])
            total += F.cross_entropy(logits[learnt].float(), ids[1:][learnt], reduction="sum").item()
            count += int(learnt.sum())
    return total / count


def options(**given: Any) -> Any:
    from shared.training.settings import TrainingArgs

    return TrainingArgs.model_validate({"dataset": ["corpus"], **given})


def run_ours(corpus: Path, steps: int, folder: Path) -> dict[str, float]:
    from ml_text.trainers.attention import attend_by_sample
    from ml_text.trainers.losses import CausalLoss
    from shared.training.loop import Run
    from shared.training.packing import pack

    train, held_out = read_samples(corpus)
    args = options(
        batch_size=ROWS_PER_STEP,
        max_steps=steps,
        learning_rate=RATE,
        warmup_steps=WARMUP,
        min_learning_rate_ratio=LOWEST,
        weight_decay=0.0,
        beta2=0.999,
        save_minutes=1e6,
    )
    model = adapted()
    attend_by_sample(model.get_base_model())
    run = Run(args, CausalLoss(model), pack(train, LENGTH), pack([], LENGTH), folder)
    began, cpu = time.monotonic(), time.process_time()
    state = run.start()
    cpu, wall = time.process_time() - cpu, time.monotonic() - began
    return {"tokens": state.tokens, "cpu_s": cpu, "wall_s": wall, "loss": held_out_loss(model, held_out)}


def run_trainer(corpus: Path, steps: int, folder: Path) -> dict[str, float]:
    import numpy as np
    import torch
    from transformers import Trainer, TrainingArguments

    from shared.training.loop import precision
    from shared.training.packing import pack

    train, held_out = read_samples(corpus)
    rows = pack(train, LENGTH)
    per_step = round(rows.filled.mean() * ROWS_PER_STEP / np.mean([len(sample.ids) for sample in train]))
    examples = [
        {"input_ids": sample.ids.tolist(), "labels": np.where(sample.loss, sample.ids, -100).tolist()}
        for sample in train
    ]
    seen = {"tokens": 0, "padded": 0}

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        longest = max(len(example["input_ids"]) for example in batch)
        seen["tokens"] += sum(len(example["input_ids"]) for example in batch)
        seen["padded"] += longest * len(batch)

        def padded(name: str, fill: int) -> torch.Tensor:
            return torch.tensor([example[name] + [fill] * (longest - len(example[name])) for example in batch])

        lengths = torch.tensor([len(example["input_ids"]) for example in batch])
        mask = (torch.arange(longest) < lengths[:, None]).long()
        return {"input_ids": padded("input_ids", 0), "labels": padded("labels", -100), "attention_mask": mask}

    args = TrainingArguments(
        str(folder),
        per_device_train_batch_size=per_step,
        max_steps=steps,
        learning_rate=RATE,
        warmup_steps=WARMUP,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": LOWEST},
        weight_decay=0.0,
        train_sampling_strategy="group_by_length",
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=precision(options()) == "bf16",
        logging_steps=10,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    model = adapted()
    trainer = Trainer(model=model, args=args, train_dataset=examples, data_collator=collate)  # type: ignore[arg-type]
    began, cpu = time.monotonic(), time.process_time()
    trainer.train()
    cpu, wall = time.process_time() - cpu, time.monotonic() - began
    return {**seen, "cpu_s": cpu, "wall_s": wall, "loss": held_out_loss(model, held_out)}


KINDS = {"ours": run_ours, "transformers.Trainer": run_trainer}


def compare(rounds: int, steps: int) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        corpus = Path(temporary) / "corpus.jsonl"
        draw = ["--rows", str(RECORDS), "--seed", "5", "--mix", "designs"]
        subprocess.run([sys.executable, "-m", "ml_text.corpus", str(corpus), *draw], check=True, env=ENVIRONMENT)
        sizes = sorted(len(sample.ids) for part in read_samples(corpus) for sample in part)
        marks = ", ".join(
            f"{share} %: {sizes[share * (len(sizes) - 1) // 100]}" for share in (0, 10, 25, 50, 75, 90, 100)
        )
        print(f"{len(sizes)} records of (tokens) {marks}\n")
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
        for number in range(rounds):
            for kind in KINDS if number % 2 == 0 else reversed(KINDS):
                command = [sys.executable, "-m", "benchmarks.training", "--child", kind, "--corpus", str(corpus)]
                command += ["--steps", str(steps), "--folder", f"{temporary}/{kind}-{number}"]
                out = subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True).stdout
                found[kind].append(json.loads(out.splitlines()[-1]))
    middle = {
        kind: {name: statistics.median(one[name] for one in all_of) for name in all_of[0]}
        for kind, all_of in found.items()
    }
    rate = {kind: one["tokens"] / one["cpu_s"] for kind, one in middle.items()}
    rows = [
        [kind, one["tokens"] / steps, rate[kind], one["tokens"] / one["wall_s"], one["loss"]]
        for kind, one in middle.items()
    ]
    print(table(["", "tokens a step", "tokens/CPU-s", "tokens/s", "held-out loss"], rows))
    theirs = middle["transformers.Trainer"]
    print(f"\nthe Trainer's batches are {100 * (1 - theirs['tokens'] / theirs['padded']):.0f} % padding")
    ratio = rate["ours"] / rate["transformers.Trainer"]
    apart = middle["ours"]["loss"] / theirs["loss"] - 1
    return report(
        [("tokens/CPU-s, ours / Trainer", ratio, 1.3, ratio >= 1.3), ("loss apart", apart, 0.01, abs(apart) <= 0.01)]
    )


def report(claims: list[tuple[str, float, float, bool]]) -> bool:
    print()
    print(table(["", "measured", "goal", ""], [[n, f"{v:.3f}", g, "ok" if ok else "MISSED"] for n, v, g, ok in claims]))
    return all(ok for *_, ok in claims)


def memory() -> bool:
    """Bytes that the frozen base and the adapter take, as they lie in memory for training."""
    import torch

    from ml_text import catalog
    from shared.training import lora

    taken: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "gpt2-90m"
        build("gpt2", GPT2_90M).bfloat16().save_pretrained(folder)
        for quantize in (None, "int8", "nf4"):
            model = catalog.load_model(folder, torch.bfloat16, quantize)
            trained = lora.attach(model, "gpt2-90m", 16, 32, 0.0)
            kept = {
                id(weight): weight.nbytes + _state_bytes(weight)
                for weight in [*trained.parameters(), *trained.buffers()]
            }
            taken[quantize or "bf16"] = sum(kept.values())
    print()
    print(table(["weights of", "MB"], [[name, size / 2**20] for name, size in taken.items()]))
    share = taken["nf4"] / taken["bf16"]
    return report([("nf4 / bf16 LoRA, 90M GPT-2", share, 0.5, share <= 0.5)])


def _state_bytes(weight: Any) -> int:
    """Scales and code books that bitsandbytes keeps beside a 4-bit weight, or rows' scales beside an 8-bit one."""
    scale = getattr(weight, "SCB", None)
    if scale is not None:
        return scale.nbytes
    state = getattr(weight, "quant_state", None)
    total = 0
    while state is not None:
        total += sum(part.nbytes for part in (state.absmax, state.code, state.offset) if part is not None)
        state = getattr(state, "state2", None)
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--child", choices=list(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--corpus", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(KINDS[args.child](args.corpus, args.steps, args.folder)))
        return 0
    from shared.training.loop import precision

    print(describe())
    print(f"computing in {precision(options())}, one thread, {args.rounds} rounds of {args.steps} steps")
    return 0 if all([compare(args.rounds, args.steps), memory()]) else 1


if __name__ == "__main__":
    sys.exit(main())
