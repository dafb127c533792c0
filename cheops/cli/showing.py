"""The chain intent → verdict → operations → outcomes, from the streams."""

from __future__ import annotations

from collections.abc import Mapping

from cheops.chains import Chain
from cheops.cli.options import Output
from cheops.cli.render.moments import moment
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.steps import open_lines, open_steps, outcome_line
from cheops.cli.render.verdict import render
from cheops.mesh import Mesh
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.verdicts import Verdict


async def show(mesh: Mesh, intent_id: str, follow: bool, site: str | None, output: Output, ascii_only: bool) -> int:
    """Print the chain, and go on with it when asked to; the exit code is the last decision's, once it is over."""
    chain = await mesh.show(intent_id, site=site)
    signs = signs_for(ascii_only)
    is_text = output is Output.TEXT
    if is_text and chain.intent is not None:
        say([_intent_line(chain.intent)])
    if follow and chain.intent is not None:
        chain = await _followed(mesh, chain, signs if is_text else None)
    elif is_text:
        say_chain(chain, signs)
    if not is_text:
        document(_body(chain), output)
    outcomes = {(one.revision, one.step): one for one in chain.outcomes}
    return _code(chain.verdicts[-1] if chain.verdicts else None, outcomes)


async def _followed(mesh: Mesh, chain: Chain, signs: Signs | None) -> Chain:
    """The chain when it is over; with signs it is said as it goes on, until nobody reads it any more."""
    assert chain.intent is not None
    verdicts = {one.revision: one for one in chain.verdicts}
    outcomes = list(chain.outcomes)
    async for progress in mesh.follow(chain.intent, publish=False):
        verdict, outcome = progress.verdict, progress.outcome
        verdicts[verdict.revision] = verdict
        if outcome is not None and outcome not in outcomes:
            outcomes.append(outcome)
        if signs is not None and not say([outcome_line(outcome, signs)] if outcome else _revision(verdict, signs)):
            break
    return Chain(chain.intent, tuple(verdicts[one] for one in sorted(verdicts)), tuple(outcomes))


def say_chain(chain: Chain, signs: Signs) -> None:
    """Each decision, and what was done by it; of a step that is not over, what is known last, and how many are not."""
    last = {(one.revision, one.step): one for one in chain.outcomes}
    for verdict in chain.verdicts:
        say(_revision(verdict, signs, in_force=verdict is chain.verdicts[-1]))
        mine = [one for one in chain.outcomes if one.revision == verdict.revision]
        say(outcome_line(one, signs) for one in mine if one.state != "begun" or last[one.revision, one.step] is one)
        if verdict is chain.verdicts[-1]:
            say(open_lines(verdict, mine, signs))


def _revision(verdict: Verdict, signs: Signs, *, in_force: bool = True) -> list[str]:
    at = f"{verdict.decided_at.astimezone():%Y-%m-%d %H:%M:%S}"
    return [f"revision {verdict.revision}, {at} by {verdict.decided_by}", *render(verdict, signs, in_force=in_force)]


def _code(last: Verdict | None, outcomes: Mapping[tuple[int, str], Outcome]) -> int:
    """The last decision's, and what became of it; 0 while its steps are under way."""
    from cheops.cli.failures import EXIT_BY_DECISION
    from cheops.cli.submitting import exit_code

    if last is None:
        return EXIT_BY_DECISION["defer"]
    mine = [one for (revision, _), one in outcomes.items() if revision == last.revision]
    return EXIT_BY_DECISION[last.decision] if open_steps(last, mine) else exit_code(last, mine)


def _intent_line(intent: Intent) -> str:
    names = [*intent.resources, *map(_name, intent.manifests)]
    what = names[0] + (f" and {len(names) - 1} more" if names[1:] else "") if names else "nothing"
    who = intent.requester or "somebody"
    where = f"{intent.scope}, entered at {intent.site}" if intent.scope else intent.site
    verb = "heal" if intent.heal else intent.verb
    return f"{intent.id}: {who} wants to {verb} {what} @ {where} ({moment(intent.created_at)})"


def _name(manifest: Mapping[str, object]) -> str:
    """As it was written: it may lack a name, and is refused for that."""
    metadata = manifest.get("metadata")
    name = metadata.get("name", "?") if isinstance(metadata, Mapping) else "?"
    return f"{manifest.get('kind', '?')} {name}"


def _body(chain: Chain) -> dict[str, object]:
    return {
        "schema": "chain/v1",
        "intent": chain.intent.model_dump(mode="json", by_alias=True, exclude={"manifests"}) if chain.intent else None,
        "verdicts": [one.model_dump(mode="json", by_alias=True) for one in chain.verdicts],
        "outcomes": [one.model_dump(mode="json", by_alias=True) for one in chain.outcomes],
    }
