"""The metrics of the bridge: what became of the spans, and where versions come from."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter


class BridgeReport:
    """Counts the spans of a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._spans: Final = Counter(
            "rollguard_bridge_spans",
            "spans that were read: an execution, of no tool, told by another span too (mcp), "
            "published by the program itself (published), wrong arguments of the model "
            "(validation), not usable (rejected), or a request over HTTP that is no OTLP "
            "(unreadable)",
            labelnames=["result"],
            registry=registry,
        )
        self._versions: Final = Counter(
            "rollguard_bridge_versions",
            "executions of spans, and what says their version: the span, the activations, or "
            "nothing (none): then it is that of their place in the log",
            labelnames=["from"],
            registry=registry,
        )

    def count_spans(self, result: str, number: int = 1) -> None:
        """Count spans by what became of them."""
        if number:
            self._spans.labels(result).inc(number)

    def count_version(self, source: str) -> None:
        """Count an execution by what says its version."""
        self._versions.labels(source).inc()
