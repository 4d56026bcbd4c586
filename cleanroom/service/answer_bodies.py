"""The shape of every answer: the resource with `ok: true`, or one error with all its reasons and `ok: false`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from cleanroom.errors import Reason


class Answered(BaseModel):
    """A success; what was asked for stands beside `ok`."""

    model_config = ConfigDict(frozen=True)

    ok: Literal[True] = True


class Asked(BaseModel):
    """A request's body; what is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _no_other_type(value: object) -> object:
    """Pydantic would take "7" and true for numbers."""
    if isinstance(value, bool | str):
        raise ValueError("a number is needed here")
    return value


ONLY_NUMBERS = BeforeValidator(_no_other_type)


class ErrorSentence(BaseModel):
    """What went wrong and what to do next. `code` is stable."""

    code: str
    message: str
    hint: str


class ErrorReason(BaseModel):
    """One of the reasons, with what would make it right."""

    code: str
    message: str
    fix: str


class ErrorBody(BaseModel):
    """Every error of every route has this shape."""

    ok: Literal[False] = False
    error: ErrorSentence
    errors: list[ErrorReason]
    status: int


_WORDS = {
    400: "The request is not readable.",
    401: "Credentials are missing, wrong, expired or revoked.",
    403: "The caller's role does not allow this.",
    404: "There is no such thing, or the caller may not know of it.",
    405: "The path does not take this method.",
    408: "The request did not arrive in time.",
    409: "The request contradicts what is there; nothing was changed.",
    413: "The request is larger than the service takes.",
    415: "The request's content type is not the one that the path takes.",
    422: "Refused, with every reason; nothing was changed.",
    429: "The privacy budget or the day's quota does not cover the query; nothing was charged.",
    500: "The service failed; what it failed at was not done.",
    503: "The service cannot reach its database at the moment; nothing was changed.",
}
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": words} for status, words in _WORDS.items()
}


def error_body(
    status: int, code: str, message: str, *, hint: str = "", reasons: Iterable[Reason] = ()
) -> dict[str, Any]:
    """The error as plain JSON values."""
    listed = [ErrorReason(code=reason.code, message=reason.message, fix=reason.fix) for reason in reasons]
    body = ErrorBody(
        error=ErrorSentence(code=code, message=message, hint=hint),
        errors=listed or [ErrorReason(code=code, message=message, fix=hint)],
        status=status,
    )
    return body.model_dump()
