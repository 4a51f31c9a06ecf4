"""Every trainer from data to an answer: trained on a tiny base, published, and asked by name through the engine."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ml_text import catalog
from ml_text.engine import Engine, Request
from ml_text.sources import Sources
from ml_text.train import PROGRAM
from ml_text.trainers import TRAINERS
from shared import registry
from shared.errors import InvalidRequest, OutOfMemory
from shared.training import launch, memory
from tests.unit.ml_text.training import ROWS, loss, publish_base, settings, write_rows

# peft 0.21 asks transformers 5.23 by a name that it is leaving
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

OPTIONS = ["--sequence-length=64", "--batch-size=4", "--precision=fp32", "--log-steps=5", "--validation-fraction=0"]
PREFERENCES = [
    {"prompt": row["prompt"], "chosen": row["completion"], "rejected": row["completion"].lower()} for row in ROWS
]
OPENAI_PREFERENCES = [
    {
        "input": {"messages": [{"role": "user", "content": row["prompt"]}], "tools": []},
        "preferred_output": [{"role": "assistant", "content": row["chosen"]}],
        "non_preferred_output": [{"role": "assistant", "content": row["rejected"]}],
    }
    for row in PREFERENCES
]


def train(tmp_path: Path, method: str, rows: list[dict[str, Any]], *options: str) -> str:
    dataset = write_rows(tmp_path / "rows.jsonl", rows)
    args = launch.parse(PROGRAM, method, [*OPTIONS, "--dataset", str(dataset), *options])
    return TRAINERS[method].main(args, settings(tmp_path))


async def answer(tmp_path: Path, model: str, prompt: str) -> str:
    """What the engine says, greedily."""
    made = settings(tmp_path)
    engine = Engine(made, Sources(made), model)
    try:
        request = Request(
            messages=[{"role": "user", "content": prompt}], max_tokens=16, sampling={"temperature": 0}, stream=False
        )
        async with engine.open(request) as given:
            return "".join([delta.text async for delta in given])
    finally:
        await engine.close()


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("scratch", ["--preset=tiny", "--context-length=128", "--learning-rate=0.01", "--max-steps=120"]),
        (
            "scratch",
            "--preset=tiny --context-length=128 --learning-rate=0.02 --max-steps=150 --batch-size=10"
            " --architecture=lstm --tokenizer=character --width=48 --layers=1".split(),
        ),
        ("sft", ["--model=small-base", "--learning-rate=0.01", "--max-steps=60", "--gradient-checkpointing"]),
        ("lora", ["--model=small-base", "--learning-rate=0.02", "--max-steps=60", "--dropout=0"]),
    ],
)
async def test_trained_and_asked_by_name(tmp_path, method, options):
    publish_base(tmp_path)
    name = train(tmp_path, method, ROWS * 4, *options)
    assert [await answer(tmp_path, name, row["prompt"]) for row in ROWS[:2]] == ["ONE yes", "TWO yes"]


@pytest.mark.parametrize("options", [[], ["--full", "--learning-rate=0.003"], ["--quantize=nf4"]])
@pytest.mark.parametrize("rows", [PREFERENCES, OPENAI_PREFERENCES], ids=["plain", "openai"])
def test_the_preferred_answer_becomes_likelier(tmp_path, rows, options):
    if rows is OPENAI_PREFERENCES and options:
        pytest.skip("the format does not change what is done with it")
    publish_base(tmp_path)
    rate = [] if "--full" in options else ["--learning-rate=0.01"]
    name = train(tmp_path, "dpo", rows * 4, "--model=small-base", "--max-steps=20", *rate, *options)
    version = registry.resolve(tmp_path / "data", name)
    assert version.card["metrics"]["loss"] < 0.4 < 0.6931, "it began at ln 2"
    base = registry.resolve(tmp_path / "data", "small-base").path
    tokenizer = catalog.load_tokenizer(base)
    before = catalog.load_model(base, torch.float32)
    if "--full" in options:
        after: Any = catalog.load_model(version.path, torch.float32)
    else:
        from peft import PeftModel

        after = PeftModel.from_pretrained(catalog.load_model(base, torch.float32), version.path)
    better = write_rows(
        tmp_path / "better.jsonl", [{"input": row["prompt"], "target": row["completion"]} for row in ROWS]
    )
    worse = write_rows(
        tmp_path / "worse.jsonl", [{"input": row["prompt"], "target": row["completion"].lower()} for row in ROWS]
    )
    gap = [loss(model, tokenizer, worse) - loss(model, tokenizer, better) for model in (before, after)]
    assert gap[1] > gap[0] + 0.1


def test_sft_keeps_the_bases_precision_and_its_tokenizer(tmp_path):
    publish_base(tmp_path)
    folder = tmp_path / "base"
    catalog.load_model(folder, torch.bfloat16).save_pretrained(tmp_path / "data" / "hub" / "half")
    catalog.load_tokenizer(folder).save_pretrained(tmp_path / "data" / "hub" / "half")
    name = train(tmp_path, "sft", ROWS, "--model", str(tmp_path / "data" / "hub" / "half"), "--max-steps=2")
    version = registry.resolve(tmp_path / "data", name)
    assert {weight.dtype for weight in load_file(version.path / "model.safetensors").values()} == {torch.bfloat16}
    assert version.base is None and version.card["begun_from"] == "half"
    assert catalog.load_tokenizer(version.path).chat_template == catalog.load_tokenizer(folder).chat_template


def test_what_does_not_fit_is_refused_with_a_way_out(tmp_path, monkeypatch):
    publish_base(tmp_path)
    monkeypatch.setattr(memory, "available_bytes", lambda device: memory.RESERVE_BYTES + 1000)
    with pytest.raises(OutOfMemory, match="an adapter takes less: --use-lora"):
        train(tmp_path, "sft", ROWS, "--model=small-base")


def test_quantised_weights_are_not_trained(tmp_path):
    publish_base(tmp_path)
    with pytest.raises(InvalidRequest) as error:
        train(tmp_path, "dpo", PREFERENCES, "--model=small-base", "--full", "--quantize=nf4")
    assert error.value.param == "quantize"


def test_another_files_records_choose_the_best(tmp_path):
    publish_base(tmp_path)
    held_out = write_rows(tmp_path / "held out.jsonl", ROWS[:2])
    options = ["--validation-dataset", str(held_out), "--eval-steps=2", "--max-steps=6", "--learning-rate=0.001"]
    name = train(tmp_path, "sft", ROWS[2:], "--model=small-base", *options)
    metrics = registry.resolve(tmp_path / "data", name).card["metrics"]
    assert metrics["best_step"] in (2, 4, 6) and metrics["best_loss"] > 0


@pytest.mark.parametrize("given", [[], ["--max-steps", "3"]])
def test_a_quick_start_sets_what_is_not_given(given):
    args = launch.parse(PROGRAM, "sft", ["--quick-start", "--model", "gpt2", *given])
    assert args.dataset[0].name == "house_style.jsonl" and args.dataset[0].is_file()
    assert args.max_minutes == 5 and args.max_steps == (3 if given else None)
