"""Webhooks that nobody answers: the API server refuses every request that they are asked about. Pure.

One with `failurePolicy: Fail` whose Service is not there; one that may not be asked (`matchConditions`) is left out.
Online its own dry run says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cheops.offline.policies import GROUP, Bodies, Body, Request, is_matched
from schemas.identity import ResourceId
from schemas.untyped import mapping_of, rows_of

HOOKS: Final = tuple(f"{GROUP}/{one}WebhookConfiguration/" for one in ("Mutating", "Validating"))


def unanswered(request: Request, bodies: Bodies) -> str:
    """The API server's words; "" when everybody who is asked is there. `bodies`: what is at the site."""
    if request.key.group == GROUP:
        return ""  # nobody is asked about who is asked
    for hook in _hooks(bodies):
        service = mapping_of(mapping_of(hook.get("clientConfig")).get("service"))
        home, name = service.get("namespace"), service.get("name")
        if not home or not name or ResourceId(f"Service/{home}/{name}") in bodies or not hook.get("rules"):
            continue
        if is_matched({**hook, "resourceRules": hook["rules"]}, request, bodies):
            return f'failed calling webhook "{hook.get("name")}": service "{name}" not found'
    return ""


def _hooks(bodies: Bodies) -> Iterator[Body]:
    """Those that are asked whenever their rules match, and have to answer."""
    for resource, body in bodies.items():
        if resource.startswith(HOOKS) and not mapping_of(body.get("metadata")).get("deletionTimestamp"):
            for hook in rows_of(body.get("webhooks")):
                if hook.get("failurePolicy", "Fail") == "Fail" and not hook.get("matchConditions"):
                    yield hook
