"""What the caller says, as token ids: chat template or plain text, with the length checked before and after."""

import json
from collections.abc import Sequence
from typing import Any

from shared.errors import InvalidRequest

PLAIN_CHAT = (
    "{% for m in messages %}{{ m['role'] | capitalize }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models that were never taught a chat format (gpt2, phi-2, llama-2-7b)."""
PLAIN_STOP = "\nUser:"


TOLD = (
    "You may call tools. To call one, answer with nothing but\n"
    '<tool_call>\n{{"name":"…","arguments":{{…}}}}\n</tool_call>\n'
    "The tools, one per line:\n{tools}"
)
"""For models whose chat template knows no tools."""


def chat_ids(
    tokenizer: Any, messages: Sequence[dict[str, Any]], context_length: int, tools: Sequence[dict[str, Any]] = ()
) -> list[int]:
    """The conversation as the model was taught it, ready for the assistant's turn. Raises InvalidRequest."""
    from jinja2 import TemplateError

    check_size("".join(message["content"] for message in messages), tokenizer, context_length, "messages")
    template = None if tokenizer.chat_template else PLAIN_CHAT
    if "tools" not in str(tokenizer.chat_template):
        messages, tools = in_plain_words(messages, tools), ()
    spoken = [
        {**message, "role": "system" if message["role"] == "developer" else message["role"]} for message in messages
    ]
    try:
        text = tokenizer.apply_chat_template(
            spoken, tools=list(tools) or None, chat_template=template, tokenize=False, add_generation_prompt=True
        )
    except TemplateError as error:  # such as "roles must alternate": the template's own words say what is wrong
        raise InvalidRequest(f"this model's chat template refuses the messages: {error}", param="messages") from error
    ids = _encode(tokenizer, text, special=template is not None, param="messages")
    return check_length(ids, context_length, "messages")


def in_plain_words(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for a template that knows no tools: a list in the system's words, calls and results as text."""
    plain: list[dict[str, Any]] = []
    if tools:
        lines = "\n".join(json.dumps(tool["function"], ensure_ascii=False) for tool in tools)
        plain.append({"role": "system", "content": TOLD.format(tools=lines)})
    for message in messages:
        content = message["content"]
        for call in message.get("tool_calls", ()):
            function = json.dumps(call["function"], ensure_ascii=False, separators=(",", ":"))
            content = f"{content}\n<tool_call>\n{function}\n</tool_call>".lstrip("\n")
        role = message["role"]
        if role == "tool":
            role, content = "user", f"<tool_response>\n{content}\n</tool_response>"
        if role in ("system", "developer") and plain and plain[0]["role"] == "system" and len(plain) == 1 and tools:
            plain[0]["content"] = f"{content}\n\n{plain[0]['content']}"
            continue
        plain.append({"role": role, "content": content})
    return plain


def source_ids(
    tokenizer: Any,
    request: "str | Sequence[int] | Sequence[dict[str, Any]]",
    context_length: int,
    vocab_size: int,
    tools: Sequence[dict[str, Any]] = (),
) -> list[int]:
    """What an encoder reads: a prompt's text or ids, or a chat's wording, line after line. Raises InvalidRequest.

    These models were taught instructions, not turns, so a chat of one message is that message.
    """
    param = "prompt"
    if not isinstance(request, str) and request and isinstance(request[0], dict):
        messages: Any = request
        param, request = "messages", "\n".join(m["content"] for m in in_plain_words(messages, tools) if m["content"])
    if isinstance(request, str):
        check_size(request, tokenizer, context_length, param)
        ids = _encode(tokenizer, request, special=True, param=param)
    else:
        ids = _known(request, vocab_size)  # pyright: ignore[reportArgumentType]
    if not ids:
        raise InvalidRequest("the prompt is empty", param=param)
    if len(ids) > context_length:
        raise InvalidRequest(
            f"this model reads {context_length} tokens, and the prompt has {len(ids)}",
            code="context_length_exceeded",
            param=param,
        )
    return ids


def _known(ids: Sequence[int], vocab_size: int) -> list[int]:
    if any(not 0 <= id < vocab_size for id in ids):
        raise InvalidRequest(
            f"the prompt has token ids of another vocabulary; this one has {vocab_size}", param="prompt"
        )
    return list(ids)


def text_ids(tokenizer: Any, prompt: str | Sequence[int], context_length: int, vocab_size: int) -> list[int]:
    """The ids of a plain prompt, which may be ids already. Raises InvalidRequest."""
    if isinstance(prompt, str):
        check_size(prompt, tokenizer, context_length, "prompt")
        ids = _encode(tokenizer, prompt, special=True, param="prompt")
        if not ids:
            ids = [id for id in (tokenizer.bos_token_id, tokenizer.eos_token_id) if id is not None][:1]
        return check_length(ids, context_length, "prompt")
    return check_length(_known(prompt, vocab_size), context_length, "prompt")


def check_size(text: str, tokenizer: Any, context_length: int, param: str) -> None:
    """Refuse what cannot fit whatever its tokens are, before it is tokenised."""
    longest = getattr(tokenizer, "longest_token", None)
    if longest is None:
        longest = tokenizer.longest_token = max(map(len, tokenizer.get_vocab()))
    if len(text) > longest * context_length:
        raise _too_long(f"{len(text)} characters", context_length, param)


def check_length(ids: list[int], context_length: int, param: str) -> list[int]:
    """`ids`, if there is room for at least one token more."""
    if not ids:
        raise InvalidRequest("the prompt is empty", param=param)
    if len(ids) >= context_length:
        raise _too_long(f"{len(ids)} tokens", context_length, param)
    return ids


def _too_long(size: str, context_length: int, param: str) -> InvalidRequest:
    return InvalidRequest(
        # clients know this error by OpenAI's first words
        f"This model's maximum context length is {context_length} tokens, answer included; the prompt has {size}",
        code="context_length_exceeded",
        param=param,
    )


def _encode(tokenizer: Any, text: str, *, special: bool, param: str) -> list[int]:
    """`special`: with the tokens the tokenizer puts around any text; a chat template has written its own."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest("the text has lone surrogates, which are no characters", param=param) from error
    return tokenizer(text, add_special_tokens=special)["input_ids"]
