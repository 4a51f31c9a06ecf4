"""What Prometheus is told about the models in memory, read when it asks."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_text.pool import Resident


class EngineMetrics(Collector):
    """`residents` gives what is in memory now."""

    def __init__(self, residents: Callable[[], list[Resident]]) -> None:
        self._residents = residents

    def collect(self) -> Iterator[Metric]:
        tokens = CounterMetricFamily("ml_text_tokens", "tokens generated since the model was loaded", labels=["model"])
        running = GaugeMetricFamily("ml_text_requests_running", "requests that generate", labels=["model"])
        waiting = GaugeMetricFamily("ml_text_requests_waiting", "requests before their first token", labels=["model"])
        size = GaugeMetricFamily("ml_text_model_bytes", "weights, adapters included", labels=["model"])
        for resident in self._residents():
            label = [resident.base.source.name]
            tokens.add_metric(label, resident.batcher.generated)
            running.add_metric(label, resident.batcher.running)
            waiting.add_metric(label, resident.batcher.waiting)
            size.add_metric(label, resident.size_bytes)
        yield from (tokens, running, waiting, size)
