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
