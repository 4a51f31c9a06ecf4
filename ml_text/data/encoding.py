"""Records as token samples: for a causal model, for an encoder–decoder, and for learning from preferences."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ml_text.data.preferences import Preference
from ml_text.data.records import Messages, Record, Skipped
from ml_text.prompts import PLAIN_CHAT
from ml_text.tokenizer import CHAT_TEMPLATE, END, ROLES
from shared.errors import InvalidRequest
from shared.training.samples import Sample

BLOCK = 512
"""The fast tokenizer is fed many texts at a time."""


def encode(records: Iterable[Record], tokenizer: Any, length: int, skipped: Skipped) -> Iterator[Sample]:
    """Token samples of at most `length`: chats whole (longer ones are counted as skipped), plain text in pieces."""
    own = tokenizer.chat_template == CHAT_TEMPLATE
    waiting = iter(records)
    while block := list(islice(waiting, BLOCK)):
        plain = [item for item in block if isinstance(item, str)]
        chats = [item for item in block if not isinstance(item, str)]
        yield from _pieces(plain, tokenizer, length)
        for sample in _own_chats(chats, tokenizer) if own else (_chat_sample(chat, tokenizer) for chat in chats):
            if len(sample.ids) > length:
                skipped.long += 1
            else:
                yield sample


def encode_pairs(
    records: Iterable[Record], tokenizer: Any, length: int, skipped: Skipped
) -> Iterator[tuple[Sample, Sample]]:
    """(source, target) for an encoder–decoder, at most `length` tokens each: of a chat the last turn, which is the
    assistant's, is the target. Longer ones are counted as skipped; InvalidRequest for plain text."""
    waiting = iter(records)
    end = tokenizer.eos_token_id
    while block := list(islice(waiting, BLOCK)):
        pairs = [_pair(item) for item in block]
        sources = tokenizer([source for source, _ in pairs])["input_ids"]
        targets = tokenizer(text_target=[target for _, target in pairs])["input_ids"]
        for source, target in zip(sources, targets, strict=True):
            if end is not None and target[-1:] != [end]:
                target = [*target, end]
            if max(len(source), len(target)) > length:
                skipped.long += 1
            else:
                yield _learnt(source, learnt=False), _learnt(target, learnt=True)


def encode_preferences(
    preferences: Iterable[Preference], tokenizer: Any, length: int, skipped: Skipped
) -> Iterator[tuple[Sample, Sample]]:
    """(chosen, rejected) of each: the same prompt with one answer and the other. Longer ones are counted as skipped."""
    for given in preferences:
        chosen, rejected = (
            _chat_sample([*given.prompt, {"role": "assistant", "content": answer}], tokenizer, last=True)
            for answer in (given.chosen, given.rejected)
        )
        if max(len(chosen.ids), len(rejected.ids)) > length:
            skipped.long += 1
        else:
            yield chosen, rejected


def _pieces(plain: list[str], tokenizer: Any, length: int) -> Iterator[Sample]:
    if not plain:
        return
    end = tokenizer.eos_token_id
    for ids in tokenizer(plain, add_special_tokens=False)["input_ids"]:
        full = ids if end is None else [*ids, end]
        for at in range(0, len(full), length):
            yield _learnt(full[at : at + length], learnt=True)


def _learnt(ids: list[int], learnt: bool) -> Sample:
    return Sample(np.array(ids, dtype=np.int32), np.full(len(ids), learnt))


def _pair(item: Record) -> tuple[str, str]:
    if isinstance(item, str):
        raise InvalidRequest(
            "an encoder–decoder learns from pairs: rows with input and target, prompt and completion, or messages;"
            " there is one of plain text",
            param="dataset",
        )
    if item[-1]["role"] != "assistant":
        raise InvalidRequest("a chat's last message is the assistant's: it is what is learnt", param="dataset")
    return source_text(item[:-1]), item[-1]["content"]


def source_text(turns: Messages) -> str:
    """What an encoder reads of a chat: its wording, line after line, as the service will ask it."""
    return "\n".join(turn["content"] for turn in turns if turn["content"])


def _own_chats(chats: list[Messages], tokenizer: Any) -> Iterator[Sample]:
    """What our template renders, without Jinja: special tokens part the text, so every turn is tokenised alone."""
    contents = [turn["content"] for chat in chats for turn in chat]
    if not contents:
        return
    encoded = iter(tokenizer(contents, add_special_tokens=False)["input_ids"])
    end = tokenizer.convert_tokens_to_ids(END)
    marks = {role: tokenizer.convert_tokens_to_ids(mark) for role, mark in ROLES.items()}
    for chat in chats:
        ids: list[int] = []
        loss: list[bool] = []
        for turn in chat:
            content = next(encoded)
            ids += [marks[turn["role"]], *content, end]
            loss += [False] + [_is_learnt(turn)] * (len(content) + 1)
        yield Sample(np.array(ids, dtype=np.int32), np.array(loss))


def _is_learnt(turn: dict[str, Any]) -> bool:
    return turn["role"] == "assistant" and turn.get("weight") != 0


def _chat_sample(chat: Messages, tokenizer: Any, last: bool = False) -> Sample:
    """By the tokenizer's own template: its generation marks, or the difference that each assistant's turn makes.

    `last`: only the last turn is learnt.
    """
    learnt = [turn["role"] == "assistant" for turn in chat]
    wanted = [_is_learnt(turn) and (not last or turn is chat[-1]) for turn in chat]
    marked = str(tokenizer.chat_template)
    if "{% generation" in marked or "{%- generation" in marked:
        made = _render(chat, tokenizer, return_assistant_tokens_mask=True)
        mask = np.array(made["assistant_masks"], dtype=bool)
        return Sample(np.array(made["input_ids"], dtype=np.int32), _turns_of(mask, learnt, wanted))
    full = _ids(chat, tokenizer)
    if not tokenizer.chat_template and tokenizer.eos_token_id is not None:
        full.append(tokenizer.eos_token_id)
    loss = np.zeros(len(full), dtype=bool)
    for place in np.flatnonzero(wanted).tolist():
        before = _ids(chat[:place], tokenizer, generate=True)
        after = _ids(chat[: place + 1], tokenizer) if place + 1 < len(chat) else full
        if full[: len(after)] != after or after[: len(before)] != before:
            raise InvalidRequest(
                "this model's chat template rewrites earlier turns, so the assistant's words cannot be told apart;"
                " use rows with one assistant turn at the end",
                param="dataset",
            )
        loss[len(before) : len(after)] = True
    return Sample(np.array(full, dtype=np.int32), loss)


def _turns_of(mask: np.ndarray, learnt: list[bool], wanted: list[bool]) -> np.ndarray:
    """The mask of the assistant's turns, less those that are not wanted: its runs are the turns, in order."""
    if learnt == wanted:
        return mask
    starts = np.flatnonzero(mask & ~np.concatenate([[False], mask[:-1]]))
    if len(starts) != sum(learnt):
        raise InvalidRequest(
            "this model's chat template does not mark every assistant turn, so one cannot be left out", param="dataset"
        )
    kept = [want for turn, want in zip(learnt, wanted, strict=True) if turn]
    turn_of = np.cumsum(np.isin(np.arange(len(mask)), starts)) - 1  # which run each token is in or behind
    return mask & np.array(kept)[turn_of]


def _render(chat: Messages, tokenizer: Any, **options: Any) -> Any:
    from jinja2 import TemplateError

    spoken = [{"role": turn["role"], "content": turn["content"]} for turn in chat]
    try:
        return tokenizer.apply_chat_template(spoken, return_dict=options.get("tokenize", True), **options)
    except TemplateError as error:  # such as "roles must alternate"
        raise InvalidRequest(f"this model's chat template refuses a row: {error}", param="dataset") from error


def _ids(chat: Messages, tokenizer: Any, generate: bool = False) -> list[int]:
    if tokenizer.chat_template:
        return _render(chat, tokenizer, add_generation_prompt=generate)["input_ids"]
    # never taught a chat format: the one in which the service will ask it
    text = _render(chat, tokenizer, chat_template=PLAIN_CHAT, add_generation_prompt=generate, tokenize=False)
    return tokenizer(text)["input_ids"]
