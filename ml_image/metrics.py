"""What Prometheus is told about the models in memory, read when it asks."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ml_image.pool import Resident


class EngineMetrics(Collector):
    """`residents` gives what is in memory now."""

    def __init__(self, residents: Callable[[], list[Resident]]) -> None:
        self._residents = residents

    def collect(self) -> Iterator[Metric]:
        made = CounterMetricFamily("ml_image_pictures", "pictures made since the model was loaded", labels=["model"])
        steps = CounterMetricFamily("ml_image_steps", "steps of denoising, each picture's own", labels=["model"])
        swaps = CounterMetricFamily("ml_image_adapter_swaps", "changes of the active adapter", labels=["model"])
        running = GaugeMetricFamily("ml_image_pictures_running", "pictures that are being made", labels=["model"])
        waiting = GaugeMetricFamily("ml_image_pictures_waiting", "pictures before their first step", labels=["model"])
        size = GaugeMetricFamily("ml_image_model_bytes", "weights without adapters", labels=["model"])
        for resident in self._residents():
            label = [resident.base.source.name]
            made.add_metric(label, resident.batcher.made)
            steps.add_metric(label, resident.batcher.steps)
            swaps.add_metric(label, resident.painter.adapters.swaps)
            running.add_metric(label, resident.batcher.running)
            waiting.add_metric(label, resident.batcher.waiting)
            size.add_metric(label, resident.base.facts.size_bytes)
        yield from (made, steps, swaps, running, waiting, size)
