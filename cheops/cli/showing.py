"""The chain intent → verdict → operations → outcomes, from the streams."""

from __future__ import annotations

from cheops.cli.options import Output
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import signs_for
from cheops.cli.render.steps import outcome_line
from cheops.cli.render.verdict import render
from cheops.mesh import Chain, Mesh
from schemas.intents import Intent


async def show(mesh: Mesh, intent_id: str, follow: bool, site: str | None, output: Output, ascii_only: bool) -> int:
    """Print the chain, and go on with it when asked to; the exit code is the last decision's."""
    from cheops.cli.submitting import CODES

    chain = await mesh.show(intent_id, site=site)
    signs = signs_for(ascii_only)
    if output is not Output.TEXT:
        document(_body(chain), output)
        return 0
    if chain.intent is not None:
        say([_intent_line(chain.intent)])
    if follow and chain.intent is not None:
        decision = "defer"
        async for progress in mesh.follow(chain.intent, publish=False):
            decision = progress.verdict.decision
            say([outcome_line(progress.outcome, signs)] if progress.outcome else render(progress.verdict, signs))
        return CODES[decision]
    for verdict in chain.verdicts:
        at = f"{verdict.decided_at.astimezone():%Y-%m-%d %H:%M:%S}"
        say([f"revision {verdict.revision}, {at} by {verdict.decided_by}"])
        say(render(verdict, signs))
        say(outcome_line(one, signs) for one in chain.outcomes if one.revision == verdict.revision)
    return CODES[chain.verdicts[-1].decision] if chain.verdicts else CODES["defer"]


def _intent_line(intent: Intent) -> str:
    what = ", ".join(intent.resources) or f"{len(intent.manifests)} manifests"
    who = intent.requester or "somebody"
    return (
        f"{intent.id}: {who} wants to {intent.verb} {what} @ {intent.site} ({intent.created_at.astimezone():%H:%M:%S})"
    )


def _body(chain: Chain) -> dict[str, object]:
    return {
        "schema": "chain/v1",
        "intent": chain.intent.model_dump(mode="json", by_alias=True, exclude={"manifests"}) if chain.intent else None,
        "verdicts": [one.model_dump(mode="json", by_alias=True) for one in chain.verdicts],
        "outcomes": [one.model_dump(mode="json", by_alias=True) for one in chain.outcomes],
    }
