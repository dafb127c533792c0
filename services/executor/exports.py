"""Questions of the site's own resolver about what leaves the cluster: whole objects, and the key to seal with."""

from __future__ import annotations

from datetime import datetime

from schemas.envelope import MessageError
from schemas.exports import Export, Exported, KeyAnswer
from schemas.identity import IdentityError, SiteName
from schemas.queries import Refusal, StatusQuery
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError
from services.chassis.kubernetes.sealing import SealError, is_secret, sealed
from services.executor.sealing import Keyring
from services.executor.target import Target


async def export(site: SiteName, target: Target, question: Received) -> bytes:
    """Exported or Refusal, as JSON. Values of a Secret leave sealed, or not at all."""
    try:
        asked = Export.from_json(question.payload)
        if asked.site != site:
            raise MessageError(f"this is {site}, the question is for {asked.site}")
        found = await target.take({one: asked.versions.get(one, "") for one in asked.resources}, asked.declared)
        if not asked.key:
            found = {name: body for name, body in found.items() if not is_secret(body)}
        return Exported(site=site, manifests={name: sealed(body, asked.key) for name, body in found.items()}).to_json()
    except (MessageError, IdentityError, SealError) as error:
        return Refusal(code="400", message=str(error)).to_json()
    except TransientError as error:
        return Refusal(code="503", message=f"the API server of {site} cannot be asked: {error}").to_json()


def key(site: SiteName, keys: Keyring, question: Received, now: datetime) -> bytes:
    """KeyAnswer or Refusal, as JSON."""
    try:
        StatusQuery.from_json(question.payload)
    except MessageError as error:
        return Refusal(code="400", message=str(error)).to_json()
    return KeyAnswer(site=site, key=keys.public, at=now).to_json()
