"""The response object itself: every key of OpenAI's type, and the parts that are the same from its first moment on."""

import time
import uuid
from typing import Any

from shared.errors import ServiceError
from shared.wire.responses import ResponseRequest

Json = dict[str, Any]
ALWAYS_NULL = (
    "access_programs",
    "image",
    "input_transformations",
    "moderation",
    "prompt",
    "prompt_cache_diagnostics",
    "prompt_cache_options",
    "prompt_cache_retention",
    "tool_usage",
)
ERROR_CODES = {400: "invalid_prompt", 413: "invalid_prompt", 429: "rate_limit_exceeded"}
"""OpenAI's set of codes is closed; what is not here is a server_error."""


def empty_response(request: ResponseRequest, model: str) -> Json:
    """Before anything is there."""
    text, reasoning = request.text, request.reasoning
    return dict.fromkeys(ALWAYS_NULL) | {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "background": bool(request.background),
        "conversation": {"id": request.conversation_id} if request.conversation_id else None,
        "error": None,
        "incomplete_details": None,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "metadata": request.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": reasoning and reasoning.effort, "summary": reasoning and reasoning.summary},
        "safety_identifier": request.safety_identifier,
        "service_tier": "default",
        "store": request.store is not False,
        "temperature": request.temperature,
        "text": {
            "format": (text and text.format) or {"type": "text"},
            "verbosity": (text and text.verbosity) or "medium",
        },
        "tool_choice": request.tool_choice or "auto",
        "tools": [_told(tool) for tool in request.tools or ()],
        "top_logprobs": request.top_logprobs or 0,
        "top_p": request.top_p,
        "truncation": request.truncation or "disabled",
        "usage": None,
        "user": request.user,
    }


def failure(error: ServiceError) -> Json:
    """What a failed response says of `error`."""
    code = ERROR_CODES.get(error.status, "server_error")
    return {"status": "failed", "error": {"code": code, "message": str(error)}}


def response_usage(usage: Json) -> Json:
    """Chat's usage in the words of responses."""
    asked, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    cached: Json = usage.get("prompt_tokens_details") or {}
    thought: Json = usage.get("completion_tokens_details") or {}
    return {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": cached.get("cached_tokens") or 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": thought.get("reasoning_tokens") or 0},
        "total_tokens": asked + written,
    }


def _told(tool: Json) -> Json:
    return {"parameters": None, "strict": None, **tool} if tool.get("type") == "function" else tool
