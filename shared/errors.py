"""What can go wrong, once, for the whole suite. Each error knows its HTTP status and OpenAI's `type` and `code`."""

from collections.abc import Mapping
from typing import Any, cast


class ServiceError(Exception):
    """The root of every expected failure: `message` goes to the client, so it never quotes a secret."""

    status = 500
    type = "server_error"
    default_code: str | None = "internal_error"
    should_retry: bool | None = None
    """Sent as `x-should-retry`; None leaves the decision to the client's own rule by status."""

    def __init__(
        self, message: str, *, code: str | None = None, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.param = param
        self.retry_after_s = retry_after_s


class InvalidRequest(ServiceError):
    status = 400
    type = "invalid_request_error"
    default_code = None


class UnsupportedByProvider(InvalidRequest):
    default_code = "unsupported_by_provider"


class Unauthorized(ServiceError):
    status = 401
    type = "authentication_error"
    default_code = "invalid_api_key"


class Forbidden(ServiceError):
    status = 403
    type = "permission_error"
    default_code = None


class NotFound(ServiceError):
    status = 404
    type = "not_found_error"
    default_code = None


class TooLarge(ServiceError):
    status = 413
    type = "invalid_request_error"
    default_code = None


class Overloaded(ServiceError):
    """Try later; `retry_after_s` becomes Retry-After."""

    status = 429
    type = "rate_limit_error"
    default_code = "overloaded"


class UpstreamFailed(ServiceError):
    status = 502
    default_code = "upstream_failed"


class UpstreamInvalid(UpstreamFailed):
    """The model was asked twice and both answers were unusable."""

    default_code = "upstream_invalid"


class NotReady(ServiceError):
    status = 503
    default_code = "not_ready"


class UpstreamTimeout(UpstreamFailed):
    status = 504
    default_code = "upstream_timeout"


class OutOfMemory(ServiceError):
    """This request does not fit; the server goes on, and a retry would fail the same way."""

    status = 507
    default_code = "out_of_memory"
    should_retry = False


class StorageFull(ServiceError):
    """The disk has no room; nothing of the request was kept. OpenAI's clients would retry it at once."""

    status = 507
    default_code = "storage_full"
    should_retry = False


class IsolationRefused(ServiceError):
    """The kernel does not let a program be locked in, so it is not run."""

    status = 501
    default_code = "isolation_refused"
    should_retry = False


ERRORS: tuple[type[ServiceError], ...] = (
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    TooLarge,
    Overloaded,
    UpstreamFailed,
    NotReady,
    UpstreamTimeout,
    OutOfMemory,
)
AWAY = (UpstreamFailed, NotReady, Overloaded)
"""502, 504, 503 and 429: another may do better, or the same one later. Any other error is an answer."""
BY_STATUS = {error.status: error for error in ERRORS}


def error_body(error: ServiceError) -> dict[str, dict[str, str | None]]:
    """OpenAI's envelope with all four keys, as every OpenAI client expects."""
    return {"error": {"message": str(error), "type": error.type, "param": error.param, "code": error.code}}


def error_from_body(status: int, body: object) -> ServiceError:
    """`error_body` read backwards: the error that another service sent, with its status kept."""
    sent: Mapping[str, Any] = {}
    if isinstance(body, Mapping):
        inner = cast(Mapping[str, Any], body).get("error")
        if isinstance(inner, Mapping):
            sent = cast(Mapping[str, Any], inner)
    message = str(sent.get("message") or f"the upstream answered with status {status}")
    error = BY_STATUS.get(status, InvalidRequest if 400 <= status < 500 else UpstreamFailed)
    return error(message, code=_text(sent.get("code")), param=_text(sent.get("param")))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
