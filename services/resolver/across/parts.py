"""An intent and one way to read its scope → the part of each site, as an intent of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.identity import IdentityError, ResourceId, SiteName
from schemas.intents import Intent, Mark
from schemas.kinds import Surface
from schemas.peers import Part
from services.resolver.across.sets import stamped
from services.resolver.across.splitting import Splitter
from services.resolver.intake import Intake
from services.resolver.judge.case import Problem


def parts_of(
    intent: Intent, intake: Intake, splitter: Splitter, age: int = 0
) -> tuple[Mapping[SiteName, Part], tuple[Problem, ...]]:
    """What each site is asked; and what of it makes no sense (D620). `age`: when what it writes is declared."""
    common = intent.model_dump(by_alias=True, exclude={"site", "scope", "resources", "manifests", "entry"})
    if intent.verb in ("delete", "read"):
        rows = [(text, resolved(splitter.surface, text, intent.namespace)) for text in intent.resources]
        at = splitter.names(rows)
        named = {name: Part(**common, site=name, entry=intent.site, resources=tuple(mine)) for name, mine in at.items()}
        return named, splitter.names_undivided(one for _, one in rows)
    states = {one.resource: one.after for one in intake.changes if one.after is not None}
    split = splitter.bundle(intake.manifests, states)
    made = {
        name: Part(**common, site=name, entry=intent.site, manifests=_declared(mine.values(), age, intent.id))
        for name, mine in split.bodies.items()
    }
    for name, joins in split.joins.items():
        marks = tuple(Mark(resource=one, joins=sites) for one, sites in joins.items())
        manifests = made[name].manifests if name in made else ()
        made[name] = Part(**{**common, "marks": marks}, site=name, entry=intent.site, manifests=manifests)
    return made, tuple(split.problems.values())


def _declared(bodies: Iterable[dict[str, Any]], age: int, intent_id: str) -> tuple[dict[str, Any], ...]:
    return tuple(stamped(body, age, intent_id) for body in bodies)


def resolved(surface: Surface, text: str, namespace: str) -> ResourceId | None:
    """What a person's word names here; None when nothing."""
    try:
        return surface.resolve(text, namespace)
    except IdentityError:  # judged where it is entered, which says what is wrong with it
        return None
