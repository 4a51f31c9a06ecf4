"""UnifiedAI, the Python SDK: one object, one method per thing the gateway makes.

    from gateway.client import UnifiedAI
    ai = UnifiedAI()                                    # GATEWAY_URL, GATEWAY_API_KEY
    ai.generate_design("20% off at Blue Door", "instagram", "square")["design"]

Every failure is one of shared.errors, with the gateway's message; `error.__notes__` has the request id.
"""

import base64
import email.utils
import json
import math
import random
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import quote

import httpx

from gateway.client_settings import ClientSettings
from shared.errors import ServiceError, UpstreamFailed, UpstreamTimeout, error_from_body

MAX_RETRY_AFTER_S = 120.0
FIRST_DELAY_S, MAX_DELAY_S = 0.5, 8.0
RETRIED = (408, 409, 429)
Messages = Sequence[Mapping[str, Any]]
Files = Mapping[str, tuple[str, bytes]]
"""form field -> (file name, bytes)"""


class UnifiedAI:
    """A client of one gateway. `max_retries` and the waits between are those of OpenAI's SDK."""

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 300.0,
        max_retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        settings = ClientSettings()
        key = api_key if api_key is not None else settings.api_key.get_secret_value()
        self.max_retries = max_retries
        self._http = httpx.Client(
            base_url=base_url or settings.url,
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_s, connect=5.0),
            transport=transport,
        )

    def generate_text(self, prompt: str, **options: Any) -> str:
        """The answer to `prompt`; options are those of /v1/chat/completions (model, temperature, max_tokens …)."""
        body = {"messages": [{"role": "user", "content": prompt}], **options}
        answer = self._send("POST", "/v1/chat/completions", body)
        return str(answer["choices"][0]["message"]["content"] or "")

    def stream_chat(self, messages: Messages, **options: Any) -> Iterator[str]:
        """The answer to a whole chat, piece by piece. Closing the iterator stops the model."""
        body = {"messages": list(messages), **options, "stream": True}
        with closing(self._open("POST", "/v1/chat/completions", body)) as reply, _translated():
            for line in reply.iter_lines():
                if not line.startswith("data:") or line.endswith("[DONE]"):
                    continue
                event = json.loads(line.removeprefix("data:"))
                if "error" in event:
                    raise error_from_body(502, event)
                for choice in event["choices"]:
                    yield choice["delta"].get("content") or ""

    def generate_design(self, prompt: str, platform: str, format: str, **options: Any) -> dict[str, Any]:
        """`{id, design, width, height, platform, format, model, provider}`; options: model, elements, explain."""
        body = {"prompt": prompt, "platform": platform, "format": format, **options}
        return self._send("POST", "/api/v1/designs", body)

    def generate_image(self, prompt: str, *, face_path: str | Path | None = None, **options: Any) -> bytes:
        """One picture; options are those of /v1/images/generations (model, size, seed, style, output_format …).

        The person in the photo at `face_path` is in it with her own pixels; the gateway forgets the photo afterwards.
        `upload_face` keeps one, for `face_id` in the options.
        """
        if face_path is None:
            answer = self._send("POST", "/v1/images/generations", {"prompt": prompt, **options})
            return base64.b64decode(answer["data"][0]["b64_json"])
        face_id = self.upload_face(face_path)
        try:
            return self.generate_image(prompt, **options, face_id=face_id)
        finally:
            self.delete_face(face_id)

    def save_image(self, image: bytes, path: str | Path) -> Path:
        """Write the picture to `path`, whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        draft.write_bytes(image)
        return draft.replace(path)

    def upload_face(self, path: str | Path, index: int | None = None) -> str:
        """The id under which the person in the photo is kept; `index` chooses among several, 0 is the widest face."""
        fields = None if index is None else {"index": str(index)}
        return str(self._send("POST", "/v1/faces", fields, _picture(path))["id"])

    def compose_face(self, face_id: str, picture: str | Path, **options: Any) -> bytes:
        """The picture with the person in it; options: face_blend, output_format, output_compression, x, size."""
        names = {"x": "placement[x]", "size": "placement[size]"}
        fields = {"face_id": face_id, **{names.get(name, name): str(value) for name, value in options.items()}}
        answer = self._send("POST", "/v1/faces/compose", fields, _picture(picture))
        return base64.b64decode(answer["data"][0]["b64_json"])

    def delete_face(self, face_id: str) -> None:
        self._send("DELETE", f"/v1/faces/{quote(face_id, safe='')}")

    def generate_speech(self, text: str, *, format: str = "wav", **options: Any) -> bytes:
        """The text read out; options are those of /v1/audio/speech (model, voice, speed, instructions …)."""
        body = {"input": text, "response_format": format, "stream": False, **options}
        return self._receive("/v1/audio/speech", body)

    def generate_music(self, prompt: str, duration: float = 10.0, *, format: str = "wav", **options: Any) -> bytes:
        """Music as long as `duration`, in seconds; options are those of /v1/audio/generate (mood, style, key, tempo,
        instruments, seed …), `mode="effects"` among them, and `format="midi"` for the notes."""
        body = {"mode": "music", "prompt": prompt, "duration": duration, "response_format": format, **options}
        return self._receive("/v1/audio/generate", body)

    def transcribe(self, path: str | Path, **options: str) -> str:
        """What is said in the recording; options are those of /v1/audio/transcriptions (model, language …)."""
        sound = Path(path)
        files: dict[str, Any] = {"file": (sound.name, sound.read_bytes())}
        files |= {name: (None, value) for name, value in options.items()}
        return str(self._send("POST", "/v1/audio/transcriptions", files=files)["text"])

    def save_audio(self, audio: bytes, path: str | Path) -> Path:
        """Write the sound to `path`, whole or not at all."""
        return self.save_image(audio, path)

    def list_models(self) -> list[str]:
        return [model["id"] for model in self._send("GET", "/v1/models")["data"]]

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _receive(self, path: str, body: Mapping[str, Any]) -> bytes:
        with closing(self._open("POST", path, body)) as reply, _translated():
            return reply.read()

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, files: Files | None = None
    ) -> dict[str, Any]:
        with closing(self._open(method, path, body, files)) as reply, _translated():
            reply.read()
            return cast(dict[str, Any], reply.json())

    def _open(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, files: Files | None = None
    ) -> httpx.Response:
        """The reply with its headers read and its body still to come; retried while that may help.

        With `files` the body is a form.
        """
        sent: dict[str, Any] = {"data": body, "files": files} if files else {"json": body}
        for attempt in range(self.max_retries + 1):
            last = attempt == self.max_retries
            headers = {"x-stainless-retry-count": str(attempt)}
            request = self._http.build_request(method, path, headers=headers, **sent)
            try:
                with _translated():
                    reply = self._http.send(request, stream=True)
            except UpstreamFailed:
                if last:
                    raise
                time.sleep(_delay_s(attempt, None))
                continue
            if reply.is_success:
                return reply
            error = _error(reply)
            if last or not _may_retry(reply):
                raise error
            time.sleep(_delay_s(attempt, error.retry_after_s))
        raise AssertionError("unreachable: the last attempt returns or raises")


def _picture(path: str | Path) -> Files:
    path = Path(path)
    return {"image": (path.name, path.read_bytes())}


@contextmanager
def _translated() -> Generator[None]:
    """httpx's errors become ours."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise UpstreamTimeout("the gateway did not answer in time") from error
    except httpx.TransportError as error:
        raise UpstreamFailed(f"the gateway cannot be reached: {error}") from error
    except ValueError as error:
        raise UpstreamFailed("the answer is not JSON: is this address a gateway?") from error


def _error(reply: httpx.Response) -> ServiceError:
    try:
        with _translated():
            body: object = json.loads(reply.read())
    except UpstreamFailed:  # a proxy's HTML page: the status says enough
        body = None
    finally:
        reply.close()
    error = error_from_body(reply.status_code, body)
    error.retry_after_s = _retry_after_s(reply.headers)
    if request_id := reply.headers.get("x-request-id"):
        error.add_note(f"request id {request_id}")
    return error


def _may_retry(reply: httpx.Response) -> bool:
    """The rule of OpenAI's SDK: the server's word, else the status; never a wait of more than two minutes."""
    if (_retry_after_s(reply.headers) or 0) > MAX_RETRY_AFTER_S:
        return False
    said = reply.headers.get("x-should-retry")
    return said == "true" or (said != "false" and (reply.status_code in RETRIED or reply.status_code >= 500))


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds to wait as `retry-after-ms` or `retry-after` (seconds, or a date) says; None when neither does."""
    for name, per_second in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            delay = float(headers.get(name, ""))
        except ValueError:
            continue
        return delay / per_second if math.isfinite(delay) else None
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return email.utils.mktime_tz(date) - time.time() if date else None


def _delay_s(attempt: int, retry_after_s: float | None) -> float:
    if retry_after_s is not None and 0 < retry_after_s <= MAX_RETRY_AFTER_S:
        return retry_after_s
    return min(FIRST_DELAY_S * 2**attempt, MAX_DELAY_S) * (1 - 0.25 * random.random())
