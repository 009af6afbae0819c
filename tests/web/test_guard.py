"""Headers, hosts, origins, health, metrics."""

import re
import threading

import pytest

from gsr_tf.web.limits import Limits
from tests.web.conftest import client_of, red_and_green, red_detector
from tests.web.pictures import blotches, encoded

PICTURE = encoded(blotches(40, 50))


def test_headers_of_every_answer(client):
    for response in (
        client.get("/"),
        client.get("/static/page.js"),
        client.get("/none"),
        client.get("/healthz"),
        client.post("/v1/segment", content=PICTURE),
        client.post("/v1/segment", content=b"x"),
        client.get("/", headers={"Host": "elsewhere.example"}),
    ):
        policy = dict(part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; "))
        assert policy.pop("default-src") == "'none'"
        assert policy.pop("img-src") == "'self' blob: data:"
        assert policy.pop("require-trusted-types-for") == "'script'"
        assert {policy.pop(name) for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
        assert policy == {"form-action": "'none'", "frame-ancestors": "'none'", "base-uri": "'none'"}
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in response.headers


def test_the_page_asks_nobody_else(client):
    page = client.get("/").text
    references = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert references
    for reference in references:
        assert reference == "data:," or client.get(f"/{reference}").status_code == 200
    assert not re.search(r"\bon\w+=|<style|style=|<script(?! type=\"module\" src=)", page)
    scripts = "".join(client.get(f"/static/{name}.js").text for name in ("page", "paint", "mask"))
    assert "://" not in scripts + client.get("/static/style.css").text


def test_documentation_without_third_parties(client):
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    described = client.get("/openapi.json").json()
    assert "image/*" in described["paths"]["/v1/segment"]["post"]["requestBody"]["content"]
    assert "score" in described["components"]["schemas"]["Answer"]["properties"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8321", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1", 200),
        ("[::1]:8321", 200),
        ("192.168.7.9:80", 200),
        ("lab.example:8321", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:8321", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_whom_the_server_believes_to_be(host, status):
    with client_of(red_detector(), names=["Lab.example"]) as client:
        assert client.get("/static/mask.js", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8321", 200),
        ("http://localhost:9000", 403),
        ("http://evil.example", 403),
        ("null", 403),
    ],
)
def test_pages_of_strangers_may_not_ask(client, origin, status):
    headers = {"Host": "localhost:8321", "Origin": origin}
    assert client.post("/v1/segment?maps=none", content=PICTURE, headers=headers).status_code == status


def test_health():
    gate = threading.Event()

    def slow(image):
        gate.wait(10)
        return red_and_green(image)

    with client_of(red_detector(slow)) as client:
        response = client.get("/healthz")
        assert (response.status_code, response.json()) == (503, {"status": "starting"})
        gate.set()
        while client.get("/healthz").status_code == 503:
            pass
        assert client.get("/healthz").json() == {"status": "ok"}


def test_health_of_a_model_that_does_not_answer(caplog):
    with client_of(red_detector(lambda image: {})) as client:
        while client.get("/healthz").json()["status"] == "starting":
            pass
        response = client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "failed"})
    assert "the model does not answer" in caplog.text


def test_metrics(client):
    client.post("/v1/segment?maps=none", content=PICTURE)
    client.post("/v1/segment", content=b"x")
    client.get("/a/path/that/must/not/become/a/label")
    text = client.get("/metrics").text
    assert 'gsr_tf_requests_total{route="/v1/segment",status="200"} 1.0' in text
    assert 'gsr_tf_requests_total{route="/v1/segment",status="422"} 1.0' in text
    assert 'gsr_tf_requests_total{route="other",status="404"} 1.0' in text
    assert 'gsr_tf_stage_seconds_count{stage="network"} 1.0' in text
    assert f"gsr_tf_upload_bytes_total {len(PICTURE) + 1:.1f}" in text
    assert "process_resident_memory_bytes" in text


def test_the_model_and_its_limits(client):
    found = client.get("/v1/model").json()
    assert (found["name"], found["threshold"], found["fingerprint"]) == ("red", 0.4, "f1")
    assert found["limits"]["upload_bytes"] == Limits().upload_bytes
