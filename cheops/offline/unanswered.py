"""Webhooks that nobody answers: the API server refuses every request that they are asked about. Pure.

One with `failurePolicy: Fail` whose Service is not there. Of one with `matchConditions` it has to be told that all of
them hold, and that no other webhook or policy changes the object before. One that converts is not missed: definitions
are often kept without the chart that serves them. Online the API server's own dry run says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cheops.forms.custom import Definitions
from cheops.offline.policies import GROUP, MUTATING, Bodies, Body, Request, is_asked, is_matched
from schemas.identity import ResourceId
from schemas.untyped import mapping_of, rows_of

HOOKS: Final = tuple(f"{GROUP}/{one}WebhookConfiguration/" for one in ("Mutating", "Validating"))


def unanswered(request: Request, bodies: Bodies, definitions: Definitions) -> str:
    """The API server's words; "" when everybody who is asked is there. `bodies`: what is at the site."""
    if request.key.group == GROUP:
        return ""  # nobody is asked about who is asked
    for hook in _hooks(bodies):
        name = _missing_service(hook, bodies) if hook.get("rules") else ""
        is_named = bool(name) and is_matched({**hook, "resourceRules": hook["rules"]}, request, bodies)
        if is_named and is_asked(hook, request, bodies, definitions):
            return f'failed calling webhook "{hook.get("name")}": service "{name}" not found'
    return ""


def _missing_service(hook: Body, bodies: Bodies) -> str:
    """The name of the Service that is to answer and is not there; "" when it is, or none is named."""
    service = mapping_of(mapping_of(hook.get("clientConfig")).get("service"))
    home, name = service.get("namespace"), service.get("name")
    is_missing = bool(home and name) and ResourceId(f"Service/{home}/{name}") not in bodies
    return str(name) if is_missing else ""


def _hooks(bodies: Bodies) -> Iterator[Body]:
    """Those that have to answer, of which it can be told when they are asked."""
    changers = [name for name in bodies if name.startswith(MUTATING)]
    for resource, body in bodies.items():
        if resource.startswith(HOOKS) and not mapping_of(body.get("metadata")).get("deletionTimestamp"):
            hooks = rows_of(body.get("webhooks"))
            is_first = changers in ([], [resource]) and (not changers or len(hooks) == 1)
            for hook in hooks:
                if hook.get("failurePolicy", "Fail") == "Fail" and (is_first or not hook.get("matchConditions")):
                    yield hook
