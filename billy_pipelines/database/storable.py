"""Values as JSON that PostgreSQL takes."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_json(values: list[dict[str, Any]]) -> str:
    """Values as JSON that PostgreSQL takes.

    Python's JSON can carry what `jsonb` refuses: NUL, half a surrogate pair, NaN. One such sign in an answer of Billy's
    must not keep the outcomes of a whole group from being written down, so signs become U+FFFD and numbers null.
    """
    with suppress(ValueError):  # UnicodeEncodeError is one
        payload = json.dumps(values, ensure_ascii=False, allow_nan=False)
        payload.encode()
        if "\\u0000" not in payload:
            return payload
    return json.dumps(_storable(values), ensure_ascii=False)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_storable(str(key)): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value
