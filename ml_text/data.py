"""Reading datasets: JSONL, JSON lists and CSV, row by row, into chats or plain text, and those into token samples."""

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from ml_text.prompts import PLAIN_CHAT
from ml_text.tokenizer import CHAT_TEMPLATE, END, ROLES
from shared.design import dumps, messages, read_record
from shared.errors import InvalidRequest, ServiceError
from shared.training.packing import Sample

Messages = list[dict[str, str]]
Record = Messages | str
"""A chat, whose assistant's turns are learnt, or plain text, all of which is learnt."""

PAIRS = (("prompt", "completion"), ("input", "target"))


@dataclass
class Skipped:
    """Rows that were left out, by reason."""

    bad: list[str] = field(default_factory=list)
    long: int = 0


def read(files: Iterable[Path], on_bad_row: str = "stop", skipped: Skipped | None = None) -> Iterator[Record]:
    """Every row of `files` in order. A bad one is InvalidRequest naming file, row and reason, or noted in `skipped`."""
    for file in files:
        for number, row in rows(file):
            try:
                yield record(row)
            except (ServiceError, ValueError) as error:
                message = f"{file.name}, row {number}: {error}"
                if on_bad_row == "stop" or skipped is None:
                    raise InvalidRequest(message, param="dataset") from error
                skipped.bad.append(message)


def rows(file: Path) -> Iterator[tuple[int, Any]]:
    """(row number from 1, row); a row that is no JSON comes as the ValueError's text under "unreadable"."""
    try:
        handle = file.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise InvalidRequest(f"{file}: {error.strerror}", param="dataset") from error
    with handle:
        try:
            if file.suffix.lower() == ".csv":
                yield from enumerate(csv.DictReader(handle), 1)
            elif file.suffix.lower() == ".json":
                yield from enumerate(_json_list(handle.read(), file), 1)
            else:
                yield from _lines(handle)
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{file} is not UTF-8 text: {error.reason}", param="dataset") from error


def _json_list(text: str, file: Path) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"{file} is not JSON: {error}", param="dataset") from error
    if not isinstance(found, list):
        raise InvalidRequest(f"{file} holds no JSON list of rows", param="dataset")
    return found


def _lines(handle: Iterable[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(handle, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                yield number, error


def record(row: Any) -> Record:
    """What one row says; ValueError or InvalidRequest with the reason when it is none of the known kinds."""
    if isinstance(row, ValueError):
        raise ValueError(f"not JSON: {row}")
    if not isinstance(row, dict):
        raise ValueError(f"a row is an object, not {type(row).__name__}")
    if "messages" in row:
        return _chat(row["messages"])
    if "response" in row:
        brief, spec = read_record(row)
        return [*messages(brief), {"role": "assistant", "content": dumps(spec)}]
    for question, answer in PAIRS:
        if question in row and answer in row:
            turns = [{"role": "user", "content": row[question]}, {"role": "assistant", "content": row[answer]}]
            return _chat(turns)
    if "text" in row:
        return _text(row["text"], "text")
    raise ValueError(
        "a row has messages, or prompt and completion, or text, or prompt, platform, format and response;"
        f" this one has {', '.join(map(str, row)) or 'nothing'}"
    )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is a string, not {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is empty")
    return value


def _chat(turns: Any) -> Messages:
    if not isinstance(turns, list) or not turns:
        raise ValueError("messages is a list of at least one message")
    chat: Messages = []
    for place, turn in enumerate(turns):
        if not isinstance(turn, dict) or turn.get("role") not in ROLES:
            raise ValueError(f"messages[{place}].role is {', '.join(ROLES)}")
        chat.append({"role": turn["role"], "content": _text(turn.get("content"), f"messages[{place}].content")})
    if not any(turn["role"] == "assistant" for turn in chat):
        raise ValueError("no message is the assistant's, so there is nothing to learn")
    return chat


def texts(records: Iterable[Record]) -> Iterator[str]:
    """The wording alone, for training a tokenizer."""
    for item in records:
        if isinstance(item, str):
            yield item
        else:
            yield from (turn["content"] for turn in item)


def digest(files: Iterable[Path]) -> str:
    """SHA-256 over the files' bytes, in order."""
    total = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as handle:
                while block := handle.read(1 << 20):
                    total.update(block)
        except OSError as error:
            raise InvalidRequest(f"{file}: {error.strerror}", param="dataset") from error
    return total.hexdigest()


def encode(
    records: Iterable[Record], tokenizer: PreTrainedTokenizerBase, length: int, skipped: Skipped
) -> Iterator[Sample]:
    """Token samples of at most `length`: chats whole (longer ones are counted as skipped), plain text in pieces."""
    own = tokenizer.chat_template == CHAT_TEMPLATE
    block: list[Record] = []
    for item in records:
        block.append(item)
        if len(block) == 512:  # the fast tokenizer is fed many texts at a time
            yield from _encode_block(block, tokenizer, length, skipped, own)
            block = []
    yield from _encode_block(block, tokenizer, length, skipped, own)


def _encode_block(
    block: list[Record], tokenizer: PreTrainedTokenizerBase, length: int, skipped: Skipped, own: bool
) -> Iterator[Sample]:
    plain = [item for item in block if isinstance(item, str)]
    chats = [item for item in block if not isinstance(item, str)]
    if plain:
        end = tokenizer.eos_token_id
        for ids in tokenizer(plain, add_special_tokens=False)["input_ids"]:
            full = np.array(ids if end is None else [*ids, end], dtype=np.int32)
            for at in range(0, len(full), length):
                piece = full[at : at + length]
                yield Sample(piece, np.ones(len(piece), dtype=bool))
    for sample in _own_chats(chats, tokenizer) if own else (_chat_sample(chat, tokenizer) for chat in chats):
        if len(sample.ids) > length:
            skipped.long += 1
        else:
            yield sample


def _own_chats(chats: list[Messages], tokenizer: PreTrainedTokenizerBase) -> Iterator[Sample]:
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
            loss += [False] + [turn["role"] == "assistant"] * (len(content) + 1)
        yield Sample(np.array(ids, dtype=np.int32), np.array(loss))


def _chat_sample(chat: Messages, tokenizer: Any) -> Sample:
    """By the tokenizer's own template: its generation marks, or the difference that each assistant's turn makes."""
    if "{% generation" in str(tokenizer.chat_template) or "{%- generation" in str(tokenizer.chat_template):
        made = tokenizer.apply_chat_template(chat, return_dict=True, return_assistant_tokens_mask=True)
        return Sample(np.array(made["input_ids"], dtype=np.int32), np.array(made["assistant_masks"], dtype=bool))
    full = _ids(chat, tokenizer)
    if not tokenizer.chat_template and tokenizer.eos_token_id is not None:
        full.append(tokenizer.eos_token_id)
    loss = np.zeros(len(full), dtype=bool)
    for place, turn in enumerate(chat):
        if turn["role"] == "assistant":
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


def _ids(chat: Messages, tokenizer: Any, generate: bool = False) -> list[int]:
    if tokenizer.chat_template:
        return tokenizer.apply_chat_template(chat, add_generation_prompt=generate, return_dict=True)["input_ids"]
    # never taught a chat format: the one in which the service will ask it
    text = tokenizer.apply_chat_template(chat, chat_template=PLAIN_CHAT, add_generation_prompt=generate, tokenize=False)
    return tokenizer(text)["input_ids"]
