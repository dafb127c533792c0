"""List: which objects, of which version, how many at once → bytes of a List.

Pages of one list are cut from the same version, also when objects change in between; a token says version and place.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cheops.sandbox.apiserver.kinds import Kind
from cheops.sandbox.apiserver.options import ReadOptions
from cheops.sandbox.apiserver.presenting import head_of, item_bytes
from cheops.sandbox.apiserver.statuses import StatusError, bad_request, expired, too_large_version
from cheops.sandbox.apiserver.store import HistoryLostError, ObjectKey, Store, Stored, encode
from cheops.sandbox.apiserver.targets import Target

TOKEN_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list, or all of it. `remaining` is None when selectors make it unknown."""

    version: int
    items: list[Stored]
    continue_token: str = ""
    remaining: int | None = None


def list_page(store: Store, target: Target, options: ReadOptions) -> Page:
    """Raises StatusError: 410 when the version is no longer known, 504 when it is not there yet."""
    version, start = _starting_point(store, options)
    found = _ordered(_at(store, target.kind, version, bool(options.continue_token)), target)
    if start is not None:
        found = [(key, stored) for key, stored in found if key > start]
    if options.matches is not None:
        found = [(key, stored) for key, stored in found if options.matches(stored.object)]
    if not options.limit or len(found) <= options.limit or _from_cache(options):
        return Page(version, [stored for _, stored in found])
    page, remaining = found[: options.limit], len(found) - options.limit
    token = _token(version, page[-1][0])
    return Page(version, [stored for _, stored in page], token, None if options.matches else remaining)


def page_bytes(kind: Kind, page: Page) -> bytes:
    metadata: dict[str, Any] = {"resourceVersion": str(page.version)}
    if page.continue_token:
        metadata["continue"] = page.continue_token
        if page.remaining is not None:
            metadata["remainingItemCount"] = page.remaining
    items = b",".join([item_bytes(kind, stored) for stored in page.items])
    head = head_of(f"{kind.kind}List", kind.api_version)
    return b"".join((head, b'"metadata":', encode(metadata), b',"items":[', items, b"]}"))


def selected(store: Store, target: Target, options: ReadOptions) -> list[Stored]:
    """What is there now, in the order of a list."""
    found = _ordered(store.collection(target.kind.collection).objects, target)
    matches = options.matches
    return [stored for _, stored in found if matches is None or matches(stored.object)]


def _ordered(objects: dict[ObjectKey, Stored], target: Target) -> list[tuple[ObjectKey, Stored]]:
    items: Iterable[tuple[ObjectKey, Stored]] = objects.items()
    if target.namespace:
        items = (item for item in items if item[0][0] == target.namespace)
    if target.name:
        items = (item for item in items if item[0][1] == target.name)
    return sorted(items, key=lambda item: item[0])


def _starting_point(store: Store, options: ReadOptions) -> tuple[int, ObjectKey | None]:
    if options.continue_token:
        if options.version:
            raise bad_request("specifying resource version is not allowed when using continue")
        return _read_token(options.continue_token, store.version)
    if options.version and options.version > store.version:
        raise too_large_version(options.version, store.version)
    exact = options.version_match == "Exact" or (options.limit and options.version_match == "" and options.version)
    return (options.version or store.version, None) if exact else (store.version, None)


def _from_cache(options: ReadOptions) -> bool:
    """Version 0 means any version will do; the real server then answers from memory, whole."""
    return options.version == 0


def _at(store: Store, kind: Kind, version: int, continued: bool) -> dict[ObjectKey, Stored]:
    collection = store.collection(kind.collection)
    if version == store.version:
        return collection.objects
    try:
        return collection.at(version)
    except HistoryLostError as error:
        if continued:
            raise StatusError(410, "Expired", TOKEN_EXPIRED) from error
        raise expired(f"The resourceVersion for the provided list is too old: {version}") from error


def _token(version: int, last: ObjectKey) -> str:
    token = {"v": "meta.k8s.io/v1", "rv": version, "start": "/".join(last) + "\0"}
    return base64.urlsafe_b64encode(encode(token)).rstrip(b"=").decode()


def _read_token(text: str, current: int) -> tuple[int, ObjectKey]:
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        namespace, _, name = token["start"].rstrip("\0").rpartition("/")
        return min(int(token["rv"]), current) if token["rv"] > 0 else current, (namespace, name)
    except (binascii.Error, msgspec.MsgspecError, UnicodeError, KeyError, TypeError, ValueError) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
