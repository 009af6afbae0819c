"""Errors as JSON: {"error": {"status": 413, "message": "..."}}, whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

RETRY = {"Retry-After": "2"}  # seconds: about as long as a picture takes


class Refusal(HTTPException):
    """A request that is not answered: status, a message that says why and what would be, and maybe headers."""


def refuse(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as a response."""
    return JSONResponse({"error": {"status": status, "message": message}}, status, headers)


def install(app: FastAPI) -> None:
    """Makes every error of `app` JSON."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return refuse(error.status_code, error.detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong_parameter(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()]
        return refuse(422, "; ".join(wrong))

    @app.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> JSONResponse:
        return refuse(500, "a defect of the server; its log says more")
