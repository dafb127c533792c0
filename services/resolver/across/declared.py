"""What was declared of one resource at several sites, as its objects say: copies, members, shares. Pure.

Who is gone for good is taken out of their words, unless a share of the whole would go with that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from schemas.identity import SiteName
from schemas.ties import (
    DECLARED,
    PART_OF,
    PARTS,
    REPLICA_SET,
    REPLICAS,
    SCOPE,
    SHARED_FROM,
    SHARED_TO,
    listed,
    share_in,
    sites_in,
)
from services.resolver.marking import respread

Body = dict[str, Any]


def copies_in(said: Mapping[SiteName, Body]) -> dict[SiteName, SiteName]:
    """Who has a copy, of whose original."""
    found: dict[SiteName, SiteName] = {}
    for name, body in said.items():
        origin = words_on(body, "labels").get(SHARED_FROM)
        if origin:
            found[name] = SiteName(origin)
        for other in sites_in(words_on(body, "annotations").get(SHARED_TO)):
            found.setdefault(other, name)
    return found


def newest_of(said: Mapping[SiteName, Body]) -> SiteName | None:
    """The member of a set that was declared last."""
    members = [name for name, body in said.items() if {REPLICA_SET, PART_OF} & words_on(body, "labels").keys()]
    return max(members, key=lambda name: (stamp_of(said[name]), name), default=None)


def members_of(said: Mapping[SiteName, Body], newest: SiteName) -> list[SiteName]:
    """The sites of a set. Who has nothing, and has left in the words of one of the newest, gets nothing again."""
    agreed = [sites_of(one) for one in said.values() if stamp_of(one) == stamp_of(said[newest]) and sites_of(one)]
    listed = dict.fromkeys(name for sites in agreed for name in sites)
    return [name for name in listed if name in said or all(name in sites for sites in agreed)]


def stamp_of(body: Body) -> str:
    """When it was declared, and by which intent; "" when it does not say."""
    return words_on(body, "annotations").get(DECLARED, "")


def sites_of(body: Body) -> tuple[SiteName, ...]:
    """Of its set, or of its whole."""
    words = words_on(body, "annotations")
    return sites_in(words.get(REPLICAS) or words.get(PARTS))


def shares_of(body: Body) -> dict[SiteName, int]:
    """How much of its whole is where."""
    rows = (row.partition("=") for row in words_on(body, "annotations").get(PARTS, "").split(","))
    found = ((SiteName(name.strip()), share_in(number)) for name, _, number in rows)
    return {name: number for name, number in found if number is not None}


def words_on(body: Body, where: str) -> dict[str, str]:
    """Its labels, or its annotations."""
    found = (body.get("metadata") or {}).get(where)
    return dict(found) if isinstance(found, dict) else {}


def naming_nobody_gone(body: Body, gone: Collection[SiteName]) -> tuple[Body, tuple[SiteName, ...]]:
    """A replica or a part without those in its words, and who they were; one that is left alone is of no set."""
    shares = shares_of(body)
    left_out = tuple(name for name in sites_of(body) if name in gone and not shares.get(name))
    if not left_out:
        return body, ()
    labels, annotations = words_on(body, "labels"), words_on(body, "annotations")
    left = [name for name in sites_of(body) if name not in left_out]
    words = {REPLICAS: listed(left)}
    if not annotations.get(REPLICAS):
        rows = [row for row in annotations[PARTS].split(",") if not {*sites_in(row)} & {*left_out}]
        words = {PARTS: ",".join(rows), SCOPE: respread(annotations.get(SCOPE, ""), left_out)}
    if len(left) < 2:
        labels = {name: text for name, text in labels.items() if name not in (REPLICA_SET, PART_OF)}
        words = dict.fromkeys((*words, DECLARED), "")
    annotations = {name: text for name, text in {**annotations, **words}.items() if text or name not in words}
    return {**body, "metadata": {**body["metadata"], "labels": labels, "annotations": annotations}}, left_out
