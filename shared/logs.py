"""One JSON object per log line on stderr, each with the request's id."""

import logging
import sys
import time
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import orjson

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""Set by `shared.instrument` for the time of a request; the gateway forwards it to the services."""

FIELDS: ContextVar[dict[str, Any] | None] = ContextVar("log_fields", default=None)


def note(**fields: Any) -> None:
    """Add to the request's own log line; outside a request there is none."""
    noted = FIELDS.get()
    if noted is not None:
        noted.update(fields)


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class JsonFormatter(logging.Formatter):
    """`extra={"fields": {...}}` becomes keys of the line; nobody puts bodies, prompts or keys there."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode(errors="replace")


def configure_logging(level: str) -> None:
    """Send every logger's lines to stderr as JSON; call it once, at the door of a process."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # unused
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # `shared.instrument` writes the line, with the request id
    for name in ("httpx", "httpcore", "openai"):
        logging.getLogger(name).setLevel(logging.WARNING)  # they log URLs and, at DEBUG, headers
