"""JSON has no word for "not a number": what cannot be said becomes null."""

import math
from typing import Any


def nan_to_null(value: Any) -> Any:
    """The same content with null for every float that is not finite, and lists for tuples."""
    match value:
        case dict():
            return {key: nan_to_null(item) for key, item in value.items()}
        case list() | tuple():
            return [nan_to_null(item) for item in value]
        case float() if not math.isfinite(value):
            return None
    return value


def null_to_nan(value: Any) -> Any:
    """The way back, for content whose every null was a number."""
    match value:
        case dict():
            return {key: null_to_nan(item) for key, item in value.items()}
        case list():
            return [null_to_nan(item) for item in value]
        case None:
            return math.nan
    return value
