"""`cheops get` at several sites: every copy and how they differ, or what the parts of one resource add up to."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cheops.cli.failures import EXIT_DEFER, EXIT_DENY
from cheops.cli.options import Output
from cheops.cli.places import contents, inside, lines_of, rows_of
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.steps import named
from cheops.cli.running import with_mesh
from cheops.drafts import Intent
from cheops.lines import NoSiteError
from cheops.mesh import Mesh
from cheops.reading import Copy, differences, everywhere, parts_of
from schemas.counting import counted
from schemas.identity import KindId, ResourceId, SiteName
from schemas.relations.loader import load_catalogue
from schemas.scope.parse import parse_scope
from schemas.scope.sites import site_names
from schemas.ties import PART_OF, SCOPE

DIFFERENCES_SHOWN_MAX: Final = 30
VALUE_LEN_MAX: Final = 40
Place = Mapping[ResourceId, Sequence[SiteName]]


@dataclass(frozen=True, slots=True)
class Everywhere:
    """What was typed."""

    resources: tuple[str, ...]
    namespace: str
    scope: str
    site: str | None
    server: str | None
    output: Output
    ascii_only: bool
    bound_s: float
    timeout_s: float


def print_everywhere(wanted: Everywhere) -> int:
    """Print each resource; 0 when all is known, 4 when a site is not, 3 when it is nowhere."""
    return with_mesh(lambda mesh: print_all(mesh, wanted), wanted.server, wanted.site)


async def print_all(mesh: Mesh, wanted: Everywhere) -> int:
    """The same, on a mesh that is open."""
    entry, sites = await _sites(mesh, wanted)
    codes = []
    for resource in wanted.resources:
        draft = Intent.read(resource, namespace=wanted.namespace, bound_s=wanted.bound_s)
        copies = await everywhere(mesh, draft, sites, entry, wanted.timeout_s)
        place = await _place(mesh, copies, wanted, entry)
        codes.append(_one(resource, copies, wanted, place))
    return max(codes)


async def _sites(mesh: Mesh, wanted: Everywhere) -> tuple[SiteName, list[SiteName]]:
    """Where the reader is, and the sites of the scope, else all."""
    in_scope = site_names(parse_scope(wanted.scope)) if wanted.scope.strip() else []
    try:
        entry = await mesh.entry_site(wanted.site)
    except NoSiteError:
        there = [*in_scope, *(status.site for status in await mesh.sites())]
        if not there:
            raise
        entry = there[0]
    if in_scope and "around" not in wanted.scope:
        return entry, in_scope
    return entry, [entry, *(one.site for one in (await mesh.links(entry)).peers if one.state != "gone")]


async def _place(mesh: Mesh, copies: Sequence[Copy], wanted: Everywhere, entry: SiteName) -> Place | None:
    """What is in a namespace that spans sites; None of anything else."""
    bodies = [one.object for one in copies if one.object is not None]
    if "%" not in wanted.scope or not bodies or _kind_of(bodies[0]) != "Namespace":
        return None
    return contents(await inside(mesh, identity_of(bodies[0]), entry), [one.site for one in copies])


def _one(resource: str, copies: Sequence[Copy], wanted: Everywhere, place: Place | None = None) -> int:
    bodies = [one.object for one in copies if one.object is not None]
    kind = _kind_of(bodies[0]) if bodies else None
    facts = load_catalogue().kinds.get(kind) if kind else None
    local = tuple(facts.local) if facts is not None else ()
    divides = tuple(facts.divides) if facts is not None else ()
    is_spread = "%" in wanted.scope and bool(divides)
    if wanted.output is Output.TEXT:
        signs = signs_for(wanted.ascii_only)
        name = named(identity_of(bodies[0])) if bodies else resource
        say(_spread(name, copies, divides, signs) if is_spread else _replicas(name, copies, local, signs))
        say(lines_of(place, signs) if place is not None else [])
    else:
        body = _body(resource, copies, local, divides if is_spread else ())
        document({**body, "contents": rows_of(place)} if place is not None else body, wanted.output)
    unknown = any(one.is_unknown for one in copies)
    return EXIT_DEFER if unknown else 0 if bodies else EXIT_DENY


def _replicas(name: str, copies: Sequence[Copy], local: Sequence[str], signs: Signs) -> list[str]:
    there = [one for one in copies if one.object is not None]
    found = differences(copies, local)
    what = "the same" if not found else f"{len(found)} declared field{' differs' if len(found) == 1 else 's differ'}"
    what = f", {what}" if len(there) > 1 else ""
    head = f"{name}: at {len(there)} of {counted(len(copies), 'site')}{what}"
    lines = [signs.paint(head, "bold"), *_rows(copies, signs)]
    for path, values in list(found.items())[:DIFFERENCES_SHOWN_MAX]:
        lines.append(f"  {path}")
        width = max(map(len, values))
        lines += [f"    {site:<{width}}  {_shown(value)}" for site, value in values.items()]
    if len(found) > DIFFERENCES_SHOWN_MAX:
        lines.append(f"  and {len(found) - DIFFERENCES_SHOWN_MAX} more (-o json)")
    if there and _kind_of(there[0].object or {}) == "Secret":
        lines.append("  of a Secret the keys are compared; its values stay at home")
    return lines


def _rows(copies: Sequence[Copy], signs: Signs) -> list[str]:
    width = max(len(one.site) for one in copies)
    rows = []
    for one in copies:
        sign = signs.allow if one.object is not None else signs.defer if one.is_unknown else signs.deny
        age = f"seen {one.age_s:.1f} s ago" if one.age_s is not None else ""
        word = age if one.object is not None else f"unknown: {one.why}" if one.is_unknown else one.why
        rows += signs.wrapped(f"  {sign} {one.site:<{width}}  {word}".rstrip(), " " * (width + 6))
    return rows


def _spread(name: str, copies: Sequence[Copy], divides: Sequence[str], signs: Signs) -> list[str]:
    parts = parts_of(copies, divides)
    known = [one for one in parts if one.desired is not None]
    ready, desired = sum(one.ready or 0 for one in known), sum(one.desired or 0 for one in known)
    unknown = [one.site for one in parts if one.desired is None]
    more = f"; the part at {', '.join(unknown)} is unknown" if unknown else ""
    lines = [signs.paint(f"{name}: {ready} of {desired} ready at {counted(len(known), 'site')}{more}", "bold")]
    width = max(len(one.site) for one in parts)
    for part, copy in zip(parts, copies, strict=True):
        if part.desired is None:
            lines.append(f"  {signs.defer} {part.site:<{width}}  unknown: {copy.why}")
            continue
        age = f"  seen {copy.age_s:.1f} s ago" if copy.age_s is not None else ""
        sign = signs.allow if part.ready == part.desired else signs.ellipsis
        lines.append(f"  {sign} {part.site:<{width}}  {part.ready} of {part.desired} ready{age}")
    return lines


def _body(resource: str, copies: Sequence[Copy], local: Sequence[str], divides: Sequence[str]) -> dict[str, Any]:
    rows = [
        {"site": one.site, "object": one.object, "age_s": one.age_s, "unknown": one.is_unknown, "why": one.why}
        for one in copies
    ]
    made: dict[str, Any] = {"schema": "everywhere/v1", "resource": resource, "copies": rows}
    if not divides:
        return {**made, "differences": differences(copies, local)}
    parts = parts_of(copies, divides)
    known = [one for one in parts if one.desired is not None]
    whole = {
        "desired": sum(one.desired or 0 for one in known),
        "ready": sum(one.ready or 0 for one in known),
        "parts": [{"site": one.site, "desired": one.desired, "ready": one.ready} for one in parts],
        "unknown": [one.site for one in parts if one.desired is None],
    }
    return {**made, "whole": whole}


def spread_over(body: Mapping[str, Any]) -> str:
    """The scope over which a part says that its resource is spread; "" for what is whole."""
    labels, annotations = (body["metadata"].get(name) or {} for name in ("labels", "annotations"))
    return str(annotations.get(SCOPE) or "") if PART_OF in labels else ""


def identity_of(body: Mapping[str, Any]) -> ResourceId:
    """`apps/Deployment/shop/web`."""
    metadata = body["metadata"]
    words = [_kind_of(body), metadata.get("namespace"), metadata["name"]]
    return ResourceId("/".join(word for word in words if word))


def _kind_of(body: Any) -> KindId:
    group = str(body.get("apiVersion") or "").rpartition("/")[0]
    return KindId(f"{group}/{body.get('kind')}" if group else str(body.get("kind")))


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= VALUE_LEN_MAX else f"{text[:VALUE_LEN_MAX]}…"


def say_where(site: str, trip_s: float | None, age_s: float | None) -> None:
    """Which replica was read."""
    far = f", {trip_s * 1000:.1f} ms away" if trip_s is not None else ""
    age = f"{age_s:.1f} s old" if age_s is not None else "of unknown age"
    sys.stderr.write(f"read at {site}{far}; the verdict's evidence was {age}\n")
