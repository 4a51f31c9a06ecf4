"""Small tokenizers of the three kinds that language models have, trained on a little JSON."""

import json
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TEXT = json.dumps(
    [{"type": "text", "text": f"Fresh coffee at the Blue Door, {i} % off", "x": i * 20} for i in range(60)]
)
SPECIAL = ["<pad>", "</s>", "<unk>", "<|user|>", "<|im_end|>"]


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2's and Qwen's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([TEXT], _trainer(initial_alphabet=alphabet))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")


def byte_fallback() -> PreTrainedTokenizerFast:
    """As Llama-2's: pieces with ▁, and <0x0A> for what they cannot spell."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.train_from_iterator([TEXT], _trainer(special=[*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]))
    # only the trainer calls the bytes special
    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if not token["content"].startswith("<0x")]
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(spec)), eos_token="</s>")


def unigram() -> PreTrainedTokenizerFast:
    """As T5's, but with braces and quotes."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    letters = [chr(code) for code in range(33, 127)]
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=SPECIAL, unk_token="<unk>", initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT, "".join(letters)], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


def _trainer(special: list[str] = SPECIAL, **options: Any) -> Any:
    tokens: Any = [AddedToken(token, special=True) for token in special]
    return trainers.BpeTrainer(
        vocab_size=900, max_token_length=12, special_tokens=tokens, show_progress=False, **options
    )
