"""A resource at several sites: each site's copy as it is now, how they differ, and what the parts of one add up to.

Pure, but for `everywhere`, which asks each site for its own word through the site where the reader is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cheops.drafts import Intent
from schemas.identity import SiteName
from schemas.outcomes import FINAL_STATES
from services.chassis.errors import CheopsError

if TYPE_CHECKING:
    from cheops.mesh import Mesh

NOT_THERE: Final = "(not there)"
HIDDEN: Final = "(hidden)"
READ_LIFETIME_S: Final = 30.0  # a question to a site that is cut off is not kept for its return
# Set by servers, or by us to remember something: nobody declares them.
_OURS: Final = ("cheops.io/", "kubectl.kubernetes.io/last-applied", "deployment.kubernetes.io/")
_DECLARED_METADATA: Final = ("labels", "annotations")
_READY_PATHS: Final = ("status.readyReplicas", "status.succeeded")


@dataclass(frozen=True, slots=True)
class Copy:
    """What one site says. `object`: without values of Secrets; None: not there, or (`why`) unknown."""

    site: SiteName
    object: Mapping[str, Any] | None = None
    age_s: float | None = None
    why: str = ""
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a spread resource is at one site; None where that is unknown."""

    site: SiteName
    desired: int | None
    ready: int | None


async def everywhere(
    mesh: Mesh, draft: Intent, sites: Sequence[SiteName], entry: str | None, timeout_s: float
) -> list[Copy]:
    """Every site's word on a read, side by side; who cannot be heard is among them."""
    asked = replace(draft, lifetime_s=READ_LIFETIME_S)
    return list(await asyncio.gather(*(_ask(mesh, replace(asked, scope=site), entry, timeout_s) for site in sites)))


async def _ask(mesh: Mesh, draft: Intent, entry: str | None, timeout_s: float) -> Copy:
    """`draft`: its scope is one site."""
    site = SiteName(draft.scope)
    body, verdict = None, None
    try:
        intent = await mesh.enter(draft, site=entry)
        async for progress in mesh.follow(intent, verdict_timeout_s=timeout_s):
            verdict = progress.verdict
            if verdict.decision == "defer":
                break
            if progress.outcome is not None and progress.outcome.state in FINAL_STATES:
                body = progress.outcome.object
    except CheopsError as error:
        return Copy(site, why=str(error), is_unknown=True)
    assert verdict is not None, "following ends with a verdict or an exception"
    age_s = next((one.age_s for one in verdict.evidence if one.site == site), None)
    why = "" if body is not None else next((one.message for one in verdict.reasons), verdict.summary)
    return Copy(site, body, age_s, why, is_unknown=body is None and verdict.decision != "deny")


def declared(body: Mapping[str, Any], local: Iterable[str] = ()) -> dict[str, Any]:
    """Path → value of what somebody declared: no status, no bookkeeping, nothing that one cluster gives (`local`)."""
    kept = {name: value for name, value in body.items() if name not in ("status", "metadata", "apiVersion", "kind")}
    metadata = body.get("metadata") or {}
    kept["metadata"] = {name: _strangers(metadata.get(name) or {}) for name in _DECLARED_METADATA}
    rows = dict(_flat(kept, ""))
    skip = tuple(local)
    return {path: value for path, value in rows.items() if not any(_is_at(path, one) for one in skip)}


def differences(copies: Sequence[Copy], local: Iterable[str] = ()) -> dict[str, dict[SiteName, Any]]:
    """Path → each site's value, where they are not the same; NOT_THERE at a site without the field."""
    rows = {one.site: declared(one.object, local) for one in copies if one.object is not None}
    found = {}
    for path in sorted({path for row in rows.values() for path in row}):
        values = {site: row.get(path, NOT_THERE) for site, row in rows.items()}
        if len({repr(value) for value in values.values()}) > 1:
            found[path] = values
    return found


def parts_of(copies: Sequence[Copy], divides: Sequence[str]) -> list[Part]:
    """What each site has of a resource that is spread by these numbers."""
    return [
        Part(
            one.site,
            None if one.is_unknown else _number(one.object, divides[:1], 1) if one.object is not None else 0,
            None if one.is_unknown else _number(one.object, _READY_PATHS, 0) if one.object is not None else 0,
        )
        for one in copies
    ]


def _number(body: Mapping[str, Any] | None, paths: Sequence[str], default: int) -> int:
    for path in paths:
        found: Any = body
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if isinstance(found, int):
            return found
    return default


def _strangers(words: Mapping[str, Any]) -> dict[str, Any]:
    return {name: text for name, text in words.items() if not name.startswith(_OURS)}


def _flat(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{place}]")
    elif value not in ({}, []):
        yield path, HIDDEN if value is None else value  # a key of a Secret: its value stays at home


def _is_at(path: str, pattern: str) -> bool:
    """`spec.ports[*].nodePort` covers every place in the list, and whatever is inside."""
    plain = "".join(part.partition("]")[2] if place else part for place, part in enumerate(path.split("[")))
    wanted = pattern.replace("[*]", "")
    return plain == wanted or plain.startswith((f"{wanted}.", f"{wanted}["))
