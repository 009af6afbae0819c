"""Headers, hosts, origins, health, metrics."""

import re
import socket
import threading

import pytest

from gsr_tf.web.limits import Limits
from gsr_tf.web.model import describe
from tests.web.conftest import FEW, USUAL, client_of, red_and_green, red_detector
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
    scripts = "".join(
        client.get(f"/static/{name}.js").text for name in ("page", "paint", "mask", "queue", "server", "zoom")
    )
    assert "://" not in scripts + client.get("/static/style.css").text


def test_documentation_without_third_parties(client):
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    described = client.get("/openapi.json").json()
    assert "image/*" in described["paths"]["/v1/segment"]["post"]["requestBody"]["content"]
    assert "score" in described["components"]["schemas"]["Answer"]["properties"]


TURNED_AWAY = {"403", "421"}
PICTURES_ARE_ANSWERED = {"200", "408", "413", "415", "422", "500", "503", "504"} | TURNED_AWAY
STATUSES = {
    "/v1/segment": PICTURES_ARE_ANSWERED,
    "/v1/report": PICTURES_ARE_ANSWERED,
    "/v1/model": {"200"} | TURNED_AWAY,
    "/model-card": {"200"} | TURNED_AWAY,
    "/healthz": {"200", "503"} | TURNED_AWAY,
}


def test_what_is_sent_is_what_is_described(included):
    starting = threading.Event()

    def answer(image):
        assert starting.wait(10)
        return red_and_green(image)

    included.module = answer
    with client_of(included, upload_bytes=50_000) as client:
        described = client.get("/openapi.json").json()
        assert {path: set(only(methods)["responses"]) for path, methods in described["paths"].items()} == STATUSES

        def sent(path, **request):
            """The answer, the media types that are described for its status, and the name of its schema."""
            method = next(iter(described["paths"][path]))
            response = client.request(method, path, **request)
            content = described["paths"][path][method]["responses"][str(response.status_code)]["content"]
            media_type = response.headers["Content-Type"].partition(";")[0]
            assert media_type in content
            schema = content[media_type]["schema"].get("$ref", "").rpartition("/")[2]
            fields = described["components"]["schemas"][schema]["properties"] if schema else {}
            assert not fields or set(response.json()) == set(fields)
            return response.status_code, schema or media_type

        assert sent("/healthz") == (503, "Health")
        starting.set()
        assert sent("/v1/segment", content=PICTURE) == (200, "Answer")
        assert sent("/healthz") == (200, "Health")
        assert sent("/v1/report", content=PICTURE) == (200, "application/pdf")
        assert sent("/v1/report", content=PICTURE, params={"format": "png"}) == (200, "image/png")
        assert sent("/v1/model") == (200, "application/json")
        assert sent("/model-card") == (200, "text/plain")
        for path in ("/v1/segment", "/v1/report"):
            assert sent(path, content=b"x") == (422, "ErrorAnswer")
            assert sent(path, content=PICTURE, params={"threshold": 2}) == (422, "ErrorAnswer")
            assert sent(path, content=bytes(50_001)) == (413, "ErrorAnswer")
            assert sent(path, files={"file": PICTURE}) == (415, "ErrorAnswer")
        for path in STATUSES:
            assert sent(path, headers={"Host": "evil.example"}) == (421, "ErrorAnswer")
            assert sent(path, headers={"Origin": "http://evil.example"}) == (403, "ErrorAnswer")


def only(items):
    (item,) = items.values()
    return item


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
        ("http://[::1", 403),
        ("http://localhost:port", 403),
        ("localhost:8321", 403),
        ("", 403),
    ],
)
def test_pages_of_strangers_may_not_ask(client, origin, status):
    headers = {"Host": "localhost:8321", "Origin": origin}
    response = client.post("/v1/segment?maps=none", content=PICTURE, headers=headers)
    assert response.status_code == status
    assert "Content-Security-Policy" in response.headers
    assert status == 200 or response.json()["error"]["status"] == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost", "http://localhost:80", 200),
        ("localhost:80", "http://localhost", 200),
        ("localhost:443", "https://localhost", 200),
        ("localhost", "https://LOCALHOST", 200),  # behind a proxy that speaks TLS
        ("localhost:443", "http://localhost", 403),
    ],
)
def test_a_port_that_the_scheme_implies_may_be_left_out(client, host, origin, status):
    headers = {"Host": host, "Origin": origin}
    assert client.post("/v1/segment?maps=none", content=PICTURE, headers=headers).status_code == status


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/healthz", 200), ("/static/mask.js", 200), ("/none", 404)])
def test_head_is_get_without_the_body(client, path, status):
    while client.get("/healthz").status_code == 503:
        pass
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert client.head("/v1/segment").status_code == 405


def test_under_the_prefix_of_a_proxy():
    with client_of(red_detector(), prefix="/gsr_tf") as client:
        assert "<title>" in client.get("/gsr_tf/").text
        assert client.get("/gsr_tf").headers["Location"] == "/gsr_tf/"
        assert client.get("/gsr_tf/static/mask.js").status_code == 200
        assert client.post("/gsr_tf/v1/segment?maps=none", content=PICTURE).status_code == 200
        assert client.get("/static/mask.js").status_code == 200
        assert client.get("/gsr_tfx/static/mask.js").status_code == 404
        assert 'route="/v1/segment",status="200"} 1.0' in client.get("/metrics").text


def test_nothing_leads_out_of_the_prefix_of_a_proxy():
    with client_of(red_detector(), prefix="/gsr_tf") as client:
        (server,) = client.get("/gsr_tf/openapi.json").json()["servers"]
        for path in ("/v1/segment", "/v1/model/", "/healthz/", "/static", "/static/"):
            assert client.get(f"{server['url']}{path}").status_code in (404, 405)
        assert client.get(f"{server['url']}/v1/model").status_code == 200
    with client_of(red_detector()) as client:
        assert "servers" not in client.get("/openapi.json").json()
        assert client.post("/v1/segment/", content=PICTURE).status_code == 404


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://localhost/v1/model?x=1", 200), ("http://localhost", 200), ("http://evil.example/v1/model", 421)],
)
def test_a_target_in_absolute_form(client, target, status):
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


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


def test_the_included_model_has_a_card_and_what_was_measured(included, client):
    with client_of(included) as of_included:
        told = of_included.get("/v1/model").json()
        assert told["false_alarms"] == {"usual": f"{USUAL}photographs (SET 7).", "few": FEW, "threshold": 0.75}
        card = of_included.get(f"/{told['card']}")
        assert card.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert card.text.startswith("# Model card")
    included.scales = (0.5, 1.0)
    assert describe(included)["false_alarms"] is None  # measured otherwise
    included.scales = (1.0,)
    told = client.get("/v1/model").json()
    assert (told["false_alarms"], told["card"], told["precision"]) == (None, None, "float32")
    assert client.get("/model-card").status_code == 404


def test_the_model_and_its_limits(client):
    found = client.get("/v1/model").json()
    assert (found["name"], found["threshold"], found["fingerprint"]) == ("red", 0.4, "f1")
    assert found["limits"]["upload_bytes"] == Limits().upload_bytes
