"""The web application: one page, a JSON API, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.types import ASGIApp

from gsr_tf.data.aspect import LONGEST
from gsr_tf.inference.included import CARD
from gsr_tf.inference.resolution import RESOLUTIONS
from gsr_tf.web import answer, refusal
from gsr_tf.web.guard import guarded
from gsr_tf.web.refusal import Refusal
from gsr_tf.web.service import Service
from gsr_tf.web.task import Found

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector

STATIC = Path(__file__).with_name("static")
PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "description": "The picture file itself: JPEG, PNG, TIFF, WebP, BMP, GIF, ...",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}
PICTURE_ERRORS = refusal.described(408, 413, 415, 422, 500, 503, 504)
REPORT = {
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("application/pdf", "image/png")}
}
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

Threshold = Annotated[
    float | None, Query(ge=0, le=1, description="Strictly above it a pixel is flagged; the model's by default.")
]
Resolution = Annotated[
    Literal[RESOLUTIONS],
    Query(description="whole: resized to the size trained on. tile: the picture's own resolution; takes longer."),
]
Depth = Annotated[answer.Depth, Query(description="Bits of the maps; none: numbers only.")]
MaxSide = Annotated[int, Query(ge=0, le=100_000, description="Longest side of maps and preview; 0: the picture's own.")]
Preview = Annotated[bool, Query(description="Whether the upright picture comes along, as JPEG.")]
Format = Literal["pdf", "png"]
Name = Annotated[str, Query(max_length=1000, description="The picture's, to stand on the page.")]


class Health(BaseModel):
    """Whether pictures are answered."""

    status: Literal["starting", "ok", "failed"]


def create_app(service: Service, names: Collection[str], prefix: str) -> ASGIApp:
    """The application around a service.

    Args:
        service: what answers.
        names: host names that are ours, beside localhost and addresses written as numbers.
        prefix: of paths, as "/gsr_tf", where a proxy passes them on with it.

    Returns:
        An ASGI application; its first picture, a warm-up, runs when it starts.
    """
    app = _without_routes(service, prefix)
    refusal.install(app)
    _add_page(app)
    _add_answers(app, service)
    _add_facts(app, service)
    routes = {"/", "/v1/segment", "/v1/report", "/v1/model", "/model-card", "/healthz", "/metrics"}
    return guarded(app, names=names, prefix=prefix, metrics=service.metrics, routes=routes)


def _without_routes(service: Service, prefix: str) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warm_up = asyncio.create_task(service.warm_up())
        yield
        await warm_up

    # FastAPI's own documentation pages load scripts from a third party.
    return FastAPI(
        title="gsr_tf",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        dependencies=[Depends(_refuse_unknown_parameters)],
        responses=refusal.described(403, 421),
        servers=[{"url": prefix}] if prefix else None,
        redirect_slashes=False,  # it would lead out of the prefix
    )


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.mount("/static", StaticFiles(directory=STATIC))


def _add_answers(app: FastAPI, service: Service) -> None:
    """What is answered of a picture."""

    @app.post(
        "/v1/segment",
        openapi_extra=PICTURE_BODY,
        responses={200: {"model": answer.Answer}, **PICTURE_ERRORS},
        summary="Where was this picture manipulated?",
    )
    async def segment(
        request: Request,
        threshold: Threshold = None,
        resolution: Resolution = "whole",
        maps: Depth = "16",
        max_side: MaxSide = 0,
        preview: Preview = False,
    ) -> Response:
        respond = partial(answer.respond, depth=maps, max_side=max_side, preview=preview)
        return await service.answer(request, {"threshold": threshold, "resolution": resolution}, respond)

    @app.post(
        "/v1/report",
        openapi_extra=PICTURE_BODY,
        response_class=Response,
        responses={200: REPORT, **PICTURE_ERRORS},
        summary="The answer as a page to print or file.",
    )
    async def make_report(
        request: Request,
        format: Format = "pdf",
        threshold: Threshold = None,
        resolution: Resolution = "whole",
        name: Name = "",
    ) -> Response:
        respond = partial(_report, format=format, name=name)
        return await service.answer(request, {"threshold": threshold, "resolution": resolution}, respond)


def _add_facts(app: FastAPI, service: Service) -> None:
    """What is told of the model and of the server."""

    @app.get("/v1/model", summary="The model and the limits of a request.")
    async def model() -> dict:
        limits = service.limits
        bounds = {"upload_bytes": limits.upload_bytes, "pixels": limits.pixels, "aspect": LONGEST}
        return {**service.model, "limits": bounds}

    if service.model["card"]:

        @app.get(
            f"/{service.model['card']}",
            response_class=Response,
            responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
            summary="On what the included model was measured, and how well it did.",
        )
        async def card() -> FileResponse:
            return FileResponse(CARD, media_type="text/plain; charset=utf-8")

    @app.get(
        "/healthz",
        responses={status: {"model": Health} for status in (200, 503)},
        summary="200 when the model answers, 503 before, and when it gives up.",
    )
    async def health() -> JSONResponse:
        return JSONResponse(Health(status=service.status).model_dump(), 200 if service.status == "ok" else 503)

    @app.get("/metrics", include_in_schema=False)
    async def prometheus() -> Response:
        return Response(service.metrics.text(), media_type=PROMETHEUS)


def _refuse_unknown_parameters(request: Request) -> None:
    """Refuses (422) what a route that takes parameters does not know: ?treshold=.9 would be answered at another one."""
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    unknown = [repr(name[:80]) for name in request.query_params if name not in known]
    if known and unknown:
        raise Refusal(422, f"no parameter {', '.join(unknown)}; there are {', '.join(known)}")
    twice = [name for name in known if len(request.query_params.getlist(name)) > 1]
    if twice:
        raise Refusal(422, f"{', '.join(twice)}: given more than once; expected one value")


def _report(found: Found, detector: Detector, **settings) -> Response:
    from gsr_tf.web import document  # Matplotlib, which only workers need

    return document.respond(found, detector, **settings)
