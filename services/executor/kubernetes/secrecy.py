"""What may be said aloud of a Secret: its keys, never its values. Pure.

Objects lose their values; an API server's words are searched for them, because its schema errors quote the value that
did not fit (measured: `.stringData.p: expected string, got …{Value:1234}`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from schemas.ties import DECLARATION
from services.executor.kubernetes.manifests import LAST_APPLIED, Object

HIDDEN: Final = "(hidden)"
_FIELDS: Final = ("data", "stringData")
_WHOLE_LEN_MAX: Final = 64
_BEGINNING_LEN: Final = 32
_WORD_LEN_MAX: Final = 3  # shorter values are hidden only where they stand alone, or no word would be left


def without_values(live: Object) -> Object:
    """The object as people may see it: no values of a Secret, no bookkeeping."""
    metadata = dict(live.get("metadata") or {})
    metadata.pop("managedFields", None)
    shown = {**live, "metadata": metadata}
    hidden = (DECLARATION, LAST_APPLIED) if _is_secret(live) else (DECLARATION,)
    annotations = metadata.get("annotations") or {}
    if any(name in annotations for name in hidden):
        metadata["annotations"] = {name: text for name, text in annotations.items() if name not in hidden}
    if not _is_secret(live):
        return shown
    for field in _FIELDS:
        if isinstance(live.get(field), Mapping):
            shown[field] = dict.fromkeys(live[field])
    return shown


def discreet(answer: dict[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    """An answer to `manifest` with every value of the Secret hidden, wherever it is quoted."""
    values = sorted(_values(manifest), key=len, reverse=True) if _is_secret(manifest) else []
    if not values:
        return answer
    hidden: dict[str, Any] = _hidden(answer, re.compile("|".join(_pattern(value) for value in values)))
    return hidden


def _hidden(part: Any, values: re.Pattern[str]) -> Any:
    if isinstance(part, str):
        return values.sub(HIDDEN, part)
    if isinstance(part, Mapping):
        return {name: _hidden(one, values) for name, one in part.items()}
    return [_hidden(one, values) for one in part] if isinstance(part, list) else part


def _is_secret(manifest: Mapping[str, Any]) -> bool:
    return manifest.get("kind") == "Secret" and manifest.get("apiVersion") == "v1"


def _values(manifest: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for field in _FIELDS:
        content = manifest.get(field)
        for value in content.values() if isinstance(content, Mapping) else (content,):
            if value not in (None, ""):
                found |= _spellings(value)
    return found


def _spellings(value: object) -> set[str]:
    """A value as it was given, and as it reads decoded."""
    text = str(value)
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        decoded = ""
    plain = {one for one in (text, text.strip(), decoded, decoded.strip()) if one}
    return plain | {json.dumps(one, ensure_ascii=False)[1:-1] for one in plain}  # as it stands between quotation marks


def _pattern(value: str) -> str:
    if len(value) > _WHOLE_LEN_MAX:  # it may be quoted in part: from its beginning on, nothing is said
        return re.escape(value[:_BEGINNING_LEN]) + r"[\s\S]*"
    escaped = re.escape(value)
    return rf"(?<!\w){escaped}(?!\w)" if len(value) <= _WORD_LEN_MAX else escaped
