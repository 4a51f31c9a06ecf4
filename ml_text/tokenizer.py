"""Tokenizers made from one's own data, with the chat template of the models that begin here: byte-level BPE, or
characters."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

PAD, END = "<|pad|>", "<|end|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL = [PAD, END, *ROLES.values()]

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] not in ['system', 'user', 'assistant'] %}"
    "{{ raise_exception('a role is system, user or assistant') }}{% endif %}"
    "<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}"
    "{% else %}{{ message['content'] }}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

# A JSON key with the punctuation on both sides is one piece, so compact JSON costs few tokens: {"type":" text ","x": 80
KEY = r'[\]}",{\[]*"[A-Za-z_]+":(?:"|[\[{]+)?'
ESCAPE = r'\\["\\/bfnrt]'
"""A JSON escape, so that a line break in a string does not melt into the word behind it."""
PIECES = "|".join(
    [
        KEY,
        ESCAPE,
        r"#[0-9A-Fa-f]{6}",
        r" ?\p{Ll}[\p{Ll}\p{M}]*(?:['’]\p{Ll}+)*",
        # A name begins a piece of its own wherever it stands, so that it has the same tokens after a blank and after a
        # quotation mark: a model can then copy it token by token.
        r"\p{Lu}[\p{Ll}\p{M}]+",
        r"\p{Lu}+(?!\p{Ll})",
        r" ?[\p{Lo}\p{Lm}\p{Lt}][\p{L}\p{M}]*",
        r"\p{N}{1,4}",
        rf"(?:(?!{KEY}|{ESCAPE}|#[0-9A-Fa-f]{{6}})[^\s\p{{L}}\p{{N}}])+",  # stops where a key or a colour begins
        r"\s+(?!\S)",  # leaves the last space to the word behind it
        r"\s+",
    ]
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, context_length: int) -> PreTrainedTokenizerFast:
    """At most `vocab_size` tokens: 5 special, 256 bytes, the rest merges that pay on `texts`."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return _with_template(bpe, context_length)


def train_character_tokenizer(texts: Iterable[str], vocab_size: int, context_length: int) -> PreTrainedTokenizerFast:
    """At most `vocab_size` tokens: 5 special, 256 bytes, and the characters that are most frequent in `texts`.

    A character that is none of them is spelt by its bytes, so every text comes back as it was.
    """
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    names = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    names += [character for character, _ in counts.most_common(vocab_size - len(names))]
    vocabulary = {name: number for number, name in enumerate(names)}
    characters = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    characters.add_special_tokens(SPECIAL)
    characters.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return _with_template(characters, context_length)


def _with_template(tokenizer: Tokenizer, context_length: int) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=list(ROLES.values()),
        chat_template=CHAT_TEMPLATE,
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
    )
