"""Stored object → bytes in the version that was asked for.

Items of a list of built-in kinds carry neither kind nor apiVersion, those of custom kinds do; so it is here.
Both fields come first in what we store, so leaving them out or naming another version cuts bytes instead of encoding.
"""

from __future__ import annotations

from functools import lru_cache

from cheops.sandbox.apiserver.conversion import from_stored
from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.store import Object, Stored, encode


def object_bytes(kind: Kind, stored: Stored) -> bytes:
    if kind.custom and stored.object["apiVersion"] != kind.api_version:
        return head_of(kind.kind, kind.api_version) + stored.bytes[_head_len(kind, stored) :]
    if kind.custom or kind.is_stored_version:
        return stored.bytes
    return encode(from_stored(kind, stored.object))


def item_bytes(kind: Kind, stored: Stored) -> bytes:
    if kind.custom:
        return object_bytes(kind, stored)
    content = object_bytes(kind, stored)
    return b"{" + content[len(head_of(kind.kind, kind.api_version)) :]


def head_of(kind_name: str, api_version: str) -> bytes:
    return _head(kind_name, api_version)


def _head_len(kind: Kind, stored: Stored) -> int:
    return len(_head(kind.kind, stored.object["apiVersion"]))


@lru_cache(maxsize=1024)
def _head(kind_name: str, api_version: str) -> bytes:
    return b'{"kind":' + encode(kind_name) + b',"apiVersion":' + encode(api_version) + b","


def in_order(content: Object, kind_name: str, api_version: str) -> Object:
    """The object with kind and apiVersion first, which the cutting rests on."""
    ordered: Object = {"kind": kind_name, "apiVersion": api_version, "metadata": content["metadata"]}
    for name, value in content.items():
        if name not in ordered:
            ordered[name] = value
    return ordered
