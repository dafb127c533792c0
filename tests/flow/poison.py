"""What strangers send: bytes that are no message of ours, and those that nearly are."""

from __future__ import annotations

import json
from typing import Any, Final

from schemas.envelope import MESSAGE_BYTES_MAX

DEPTH: Final = 100_000
GOOD_TIMES: Final = {"created_at": "2030-01-01T00:00:00Z", "expires_at": "2030-01-02T00:00:00Z"}


def bodies(schema: str, good: dict[str, Any]) -> dict[str, bytes]:
    """Name → body. `good`: a body of that schema that would be understood."""
    name = schema.partition("/")[0]
    field = next(iter(good))
    return {
        "empty": b"",
        "no JSON": b'{"schema": "%s", ' % schema.encode(),
        "text": b"hello",
        "null": b"null",
        "binary": bytes(range(256)) * 4,
        "half a character": json.dumps({"schema": schema, "id": "x"}).encode().replace(b'"x"', b'"\\ud800"'),
        "bytes that are no UTF-8": b'{"schema": "%s", "id": "\xff\xfe"}' % schema.encode(),
        "another version": json.dumps({**good, "schema": f"{name}/v2"}).encode(),
        "another message": json.dumps({**good, "schema": "nonsense/v1"}).encode(),
        "a version that is a number": json.dumps({**good, "schema": 1}).encode(),
        "deep objects": b'{"schema": "%s", "deep": ' % schema.encode() + b'{"a":' * DEPTH + b"1" + b"}" * (DEPTH + 1),
        "deep lists": b"[" * DEPTH + b"]" * DEPTH,
        "a huge integer": json.dumps({**good, "schema": schema, field: 7}).encode().replace(b"7", b"7" * 5_000, 1),
        "NUL in its place": json.dumps({**good, "schema": schema, field: "a\0b"}).encode(),
        "8 MiB of blanks": b" " * MESSAGE_BYTES_MAX,
        "8 MiB of one string": b'{"schema":"' + b"x" * (MESSAGE_BYTES_MAX - 13) + b'"}',
    }
