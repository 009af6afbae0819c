"""What the server tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)


class Metrics:
    """Counters of one application, in a registry of their own: several applications may live in one process."""

    def __init__(self):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own = {"registry": self.registry}
        self.requests = Counter("gsr_tf_requests", "Answers, by route and status.", ["route", "status"], **own)
        self.request_seconds = Histogram(
            "gsr_tf_request_seconds", "From request to the answer's end.", ["route"], buckets=SECONDS, **own
        )
        self.stage_seconds = Histogram(
            "gsr_tf_stage_seconds", "Of one picture: decode, network, encode.", ["stage"], buckets=SECONDS, **own
        )
        self.upload_bytes = Counter("gsr_tf_upload_bytes", "Picture files received in full.", **own)
        self.uploading = Gauge("gsr_tf_uploading", "Pictures on their way here.", **own)
        self.admitted = Gauge("gsr_tf_admitted", "Requests with a place: waiting or at work.", **own)
        self.worker_restarts = Counter("gsr_tf_worker_restarts", "Workers replaced: ended, or grown.", ["why"], **own)
        self.worker_resident = Gauge(
            "gsr_tf_worker_resident_bytes", "Memory that a worker held after its latest picture.", ["worker"], **own
        )
        self.at_work = Gauge("gsr_tf_at_work", "Pictures at work.", **own)

    def text(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self.registry)
