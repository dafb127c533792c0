"""What a site's resolver enters by itself: intents like any other, in its own name. Pure."""

from __future__ import annotations

from datetime import timedelta

from schemas.identity import ResourceId, SiteName
from schemas.intents import Intent
from services.resolver.signals import EnterIntent, Moment


def healing(
    intent_id: str, site: SiteName, resource: ResourceId, scope: str, lifetime_s: float, moment: Moment
) -> EnterIntent:
    """Heal a resource in a scope; what of it was done stays."""
    return EnterIntent(
        Intent(
            id=intent_id,
            site=site,
            verb="apply",
            resources=(resource,),
            scope=scope,
            heal=True,
            on_failure="stop",
            requester=f"resolver/{site}",
            created_at=moment.wall,
            expires_at=moment.wall + timedelta(seconds=lifetime_s),
        )
    )
