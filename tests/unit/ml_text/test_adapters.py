"""LoRA adapters by name: always the right one, also under load; new versions noticed; what does not fit is refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from ml_text import catalog
from ml_text.catalog import FAMILIES
from ml_text.engine import Request
from shared import registry
from shared.errors import InvalidRequest, NotFound
from tests.unit.ml_text import reference

# peft reads a property that transformers renamed
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
WEIGHTS = "adapter_model.safetensors"


def make_adapter(folder: Path, seed: int, family: str = "llama", **config: Any) -> Path:
    """An adapter strong enough to change every greedy answer."""
    base = catalog.build(family, **{"vocab_size": 384, "pad_token_id": 0, "tie_word_embeddings": False, **config})
    model = get_peft_model(base, LoraConfig(r=4, target_modules="all-linear", fan_in_fan_out=family == "gpt2"))
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    return folder


def publish(engine: Any, name: str, folder: Path, base: str = "tiny") -> registry.Version:
    return registry.publish(engine.settings.data_dir, name, folder, {"service": "text", "base": base})


async def ask(engine: Any, model: str, prompt: Any = "the quick", tokens: int = 16) -> str:
    request = Request(model=model, prompt=prompt, max_tokens=tokens, sampling={"temperature": 0}, stream=False)
    async with engine.open(request) as answer:
        return "".join([delta.text async for delta in answer])


def with_adapter(base: Path, adapter: Path, ids: list[int], tokens: int) -> list[int]:
    """What transformers and peft say."""
    from peft import PeftModel

    return reference.generate(PeftModel.from_pretrained(reference.load(base), adapter).eval(), ids, tokens)[0]


@pytest.mark.slow
@pytest.mark.parametrize("merge_mb", [1024, 0], ids=["merged", "shared base"])
@pytest.mark.parametrize("family", FAMILIES)
async def test_an_adapter_answers_as_in_peft(
    family: str, merge_mb: int, tmp_path: Path, save_model: Any, start: Any
) -> None:
    base = save_model(family=family, words=True)
    adapter = make_adapter(tmp_path / "adapter", 1, family)
    engine = start(base, merge_mb=merge_mb)
    publish(engine, "ft:tiny:a", adapter)
    plain, adapted = await ask(engine, "tiny", [9, 17, 30]), await ask(engine, "ft:tiny:a", [9, 17, 30])
    assert adapted.replace(" ", "") == reference.spelt(with_adapter(base, adapter, [9, 17, 30], 16))
    assert await ask(engine, "tiny", [9, 17, 30]) == plain != adapted


@pytest.mark.parametrize("merge_mb", [1024, 0], ids=["merged", "shared base"])
async def test_never_a_reply_of_another_adapter(merge_mb: int, tmp_path: Path, save_model: Any, start: Any) -> None:
    engine = start(save_model(), merge_mb=merge_mb, slots=8)
    names = ["tiny"]
    for seed in range(4):
        publish(engine, f"voice-{seed}", make_adapter(tmp_path / f"a{seed}", seed))
        names.append(f"voice-{seed}")
    alone = {name: await ask(engine, name) for name in names}
    assert len(set(alone.values())) == len(names), "adapters that say the same prove nothing"
    chosen = [names[(7 * i) % 5] for i in range(60)]
    answers = await asyncio.gather(*(ask(engine, name) for name in chosen))
    assert answers == [alone[name] for name in chosen]


@pytest.mark.slow
async def test_a_new_version_answers_at_once_and_the_old_finishes(tmp_path: Path, save_model: Any, start: Any) -> None:
    engine = start(save_model(max_position_embeddings=4096))
    publish(engine, "voice", make_adapter(tmp_path / "old", 1, max_position_embeddings=4096))
    old = await ask(engine, "voice", tokens=300)
    running = asyncio.create_task(ask(engine, "voice", tokens=300))
    batcher = engine.pool.residents[0].batcher
    while not batcher.running:  # noqa: ASYNC110 - it runs in a thread
        await asyncio.sleep(0.001)
    publish(engine, "voice", make_adapter(tmp_path / "new", 2, max_position_embeddings=4096))
    new = await ask(engine, "voice", tokens=300)
    assert await running == old != new
    assert await ask(engine, "voice", tokens=300) == new


async def test_an_older_version_is_one_call_away(tmp_path: Path, save_model: Any, start: Any) -> None:
    engine = start(save_model())
    first = publish(engine, "voice", make_adapter(tmp_path / "1", 1))
    before = await ask(engine, "voice")
    publish(engine, "voice", make_adapter(tmp_path / "2", 2))
    assert await ask(engine, "voice") != before
    registry.promote(engine.settings.data_dir, "voice", first.version)
    assert await ask(engine, "voice") == before


def _rename(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({name.replace("self_attn", "other_attn"): value for name, value in tensors.items()}, folder / WEIGHTS)


def _no_targets(folder: Path) -> None:
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["nothing_proj"]}))


def _half_the_targets(folder: Path) -> None:
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["q_proj"]}))


def _other_shapes(folder: Path) -> None:
    make_adapter(folder, 1, hidden_size=64)


def _other_kind(folder: Path) -> None:
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "peft_type": "PREFIX_TUNING"}))


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")
    (folder / WEIGHTS).unlink()


def _no_config(folder: Path) -> None:
    (folder / "adapter_config.json").unlink()


def _cut_off(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("merge_mb", [1024, 0], ids=["merged", "shared base"])
@pytest.mark.parametrize(
    "spoil", [_rename, _no_targets, _half_the_targets, _other_shapes, _other_kind, _pickled, _no_config, _cut_off]
)
async def test_what_does_not_fit_is_refused(
    spoil: Any, merge_mb: int, tmp_path: Path, save_model: Any, start: Any
) -> None:
    engine = start(save_model(), merge_mb=merge_mb)
    good, bad = make_adapter(tmp_path / "good", 1), make_adapter(tmp_path / "bad", 2)
    spoil(bad)
    publish(engine, "good", good)
    publish(engine, "bad", bad)
    plain = await ask(engine, "tiny")
    with pytest.raises(InvalidRequest) as caught:  # as the first adapter of its base
        await ask(engine, "bad")
    assert "bad" in str(caught.value)
    assert await ask(engine, "tiny") == plain
    adapted = await ask(engine, "good")
    with pytest.raises(InvalidRequest):
        await ask(engine, "bad")
    assert [await ask(engine, "tiny"), await ask(engine, "good")] == [plain, adapted]


async def test_an_adapter_whose_base_is_gone_or_an_adapter(tmp_path: Path, save_model: Any, start: Any) -> None:
    engine = start(save_model())
    folder = make_adapter(tmp_path / "a", 1)
    publish(engine, "orphan", folder, base="nobody")
    with pytest.raises(NotFound):
        await ask(engine, "orphan")
    publish(engine, "voice", folder)
    publish(engine, "second", folder, base="voice")
    with pytest.raises(InvalidRequest, match="adapter itself"):
        await ask(engine, "second")
