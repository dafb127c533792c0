"""A rehearsal asked over the bus → the API server's word. What cannot be answered is a Refusal with a sentence."""

from __future__ import annotations

from schemas.envelope import MessageError
from schemas.identity import IdentityError, SiteName
from schemas.queries import Refusal
from schemas.rehearsals import Rehearsal, RehearsalAnswer
from services.chassis.bus.port import Received
from services.chassis.errors import TransientError
from services.executor.target import Target


async def answer(site: SiteName, target: Target, question: Received) -> bytes:
    """RehearsalAnswer or Refusal, as JSON."""
    try:
        rehearsal = Rehearsal.from_json(question.payload)
    except MessageError as error:
        return Refusal(code="400", message=str(error)).to_json()
    if rehearsal.site != site:
        return Refusal(code="400", message=f"this is {site}, the rehearsal is for {rehearsal.site}").to_json()
    try:
        results = await target.rehearse(rehearsal.changes)
    except IdentityError as error:
        return Refusal(code="400", message=str(error)).to_json()
    except TransientError as error:
        return Refusal(code="503", message=f"the API server of {site} cannot be asked: {error}").to_json()
    return RehearsalAnswer(site=site, results=results).to_json()
