"""The gateway's own numbers for Prometheus, beside those that every app has."""

from prometheus_client import CollectorRegistry, Counter

from gateway.modality import Spent


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.tokens = Counter("gateway_tokens", "tokens by model", ["provider", "model", "kind"], registry=registry)
        self.images = Counter("gateway_images", "pictures by model", ["provider", "model"], registry=registry)
        self.seconds = Counter("gateway_audio_seconds", "sound by model", ["provider", "model"], registry=registry)
        self.children: dict[tuple[str, str], tuple[Counter, Counter]] = {}  # labels() is slow

    def count(self, spent: Spent) -> None:
        key = (spent.provider, spent.model)
        children = self.children.get(key)
        if children is None:
            prompt, completion = (self.tokens.labels(*key, kind) for kind in ("prompt", "completion"))
            children = self.children[key] = prompt, completion
        children[0].inc(spent.prompt_tokens)
        children[1].inc(spent.completion_tokens)
        if spent.images:
            self.images.labels(*key).inc(spent.images)
        if spent.seconds:
            self.seconds.labels(*key).inc(spent.seconds)
