"""Errors as JSON: {"error": {"status": 413, "message": "..."}}, whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

RETRY = {"Retry-After": "2"}  # seconds: about as long as a picture takes
REASONS = {
    403: "Asked by a page of another origin.",
    408: "The upload took too long.",
    413: "The file, the picture or the memory to decode it is above a limit.",
    415: "The body is no picture file as it is: a form, or compressed.",
    421: "Asked by a name that is not the server's.",
    422: "Not a picture, or a wrong parameter.",
    500: "A picture that ended its worker, a map that is none, or a defect of the server.",
    503: "Busy, short of memory, or stopping; Retry-After, where there is one, says when to ask again.",
    504: "The picture took too long.",
}


class Said(BaseModel):
    """What went wrong."""

    status: int
    message: str = Field(description="Why, and what would be right.")


class ErrorAnswer(BaseModel):
    """Whatever went wrong."""

    error: Said


class Refusal(HTTPException):
    """A request that is not answered: status, a message that says why and what would be, and maybe headers."""


def refuse(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as a response."""
    answer = ErrorAnswer(error=Said(status=status, message=message))
    return JSONResponse(answer.model_dump(), status, headers)


def described(*statuses: int) -> dict:
    """Errors of these statuses, keys of `REASONS`, as FastAPI's `responses`."""
    return {status: {"model": ErrorAnswer, "description": REASONS[status]} for status in statuses}


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
