"""A draft → published, followed, printed, and an exit code."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cheops.cli.failures import EXIT_BY_DECISION, EXIT_ERROR, EXIT_INTERRUPTED, EXIT_PARTLY
from cheops.cli.options import Output
from cheops.cli.reading import Everywhere, identity_of, print_all, say_where, spread_over
from cheops.cli.render.output import UnwrittenError, document, say
from cheops.cli.render.places import place_of
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.steps import named, outcome_line
from cheops.cli.render.verdict import render
from cheops.cli.running import with_mesh
from cheops.cli.waiting import Patience, patient
from cheops.drafts import Intent
from cheops.following import Progress
from cheops.mesh import Mesh
from schemas.counting import counted
from schemas.documents import Document
from schemas.intents import Intent as EnteredIntent
from schemas.outcomes import Outcome
from schemas.verdicts import Reason, Verdict

ABOUT_MANIFESTS: Final = frozenset(("001", "010", "101", "110", "112", "130", "140", "150", "220"))
NOT_UNDONE: Final = "W522"
DONE_ALREADY: Final = "N520"
GOOD_STATES: Final = ("ready", "done")
PROGRESS_MARGIN: Final = 12  # for the sign and the seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed."""

    draft: Intent
    documents: tuple[Document, ...]
    site: str | None
    server: str | None
    output: Output
    ascii_only: bool
    no_wait: bool
    timeout_s: float


def submit(wanted: Wanted) -> int:
    """Publish and follow; returns the exit code."""
    return with_mesh(lambda mesh: _Submission(mesh, wanted).run(), wanted.server, wanted.site)


def exit_code(verdict: Verdict, outcomes: Iterable[Outcome]) -> int:
    """The decision's; of what was allowed and done: 0 all of it, 5 a part, 1 nothing (all that was done is undone).

    What a site denies that was away while others did it (N520) is partly done, too.
    """
    if verdict.decision == "deny" and any(one.code == DONE_ALREADY for one in verdict.reasons):
        return EXIT_PARTLY
    if verdict.undoes is not None:
        back = {one.step for one in outcomes if one.state in GOOD_STATES and one.revision == verdict.revision}
        stays = any(one.code == NOT_UNDONE for one in verdict.reasons)
        return EXIT_PARTLY if stays or any(step.id not in back for step in verdict.plan) else EXIT_ERROR
    if verdict.decision != "allow" or verdict.preview:
        return EXIT_BY_DECISION[verdict.decision]
    good = sum(outcome.state in GOOD_STATES for outcome in outcomes)
    return 0 if good == len(verdict.plan) else EXIT_PARTLY if good else EXIT_ERROR


class _Submission:
    """One intent on its way, printed as it goes."""

    def __init__(self, mesh: Mesh, wanted: Wanted) -> None:
        self._mesh = mesh
        self._wanted = wanted
        self._signs: Signs = signs_for(wanted.ascii_only)
        self._text = wanted.output is Output.TEXT
        self._verdict: Verdict | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._started_s = time.monotonic()
        self._patience = Patience()
        self._trips_s: dict[str, float] = {}
        self._is_stored = False

    async def run(self) -> int:
        wanted = self._wanted
        intent = await self._mesh.enter(wanted.draft, site=wanted.site)
        await self._mesh.ensure_site(intent.site)
        try:
            if wanted.no_wait and not wanted.draft.preview:
                return await self._leave(intent)
            async with patient(lambda: self._waits_for(intent)) as self._patience:
                return await self._follow(intent)
        except asyncio.CancelledError:  # what asyncio makes of Ctrl-C, and we of SIGTERM
            self._say_where_we_are(intent, "\ncheops: interrupted")
            return EXIT_INTERRUPTED
        except UnwrittenError as error:
            self._say_where_we_are(intent, f"cheops: {error}")
            return EXIT_ERROR

    async def _leave(self, intent: EnteredIntent) -> int:
        """Publish it and say its id; nobody follows."""
        await self._mesh.publish(intent)
        self._is_stored = True
        if self._text:
            say([intent.id])
        else:
            document({"schema": "published/v1", "intent": intent.id, "site": intent.site}, self._wanted.output)
        return 0

    async def _follow(self, intent: EnteredIntent) -> int:
        self._started_s = time.monotonic()
        if intent.preview:
            self._take(Progress(await self._mesh.preview(intent)))
        else:
            timeout_s = self._wanted.timeout_s
            async for progress in self._mesh.follow(intent, verdict_timeout_s=timeout_s, on_stored=self._note_stored):
                self._take(progress)
                if progress.verdict.decision == "defer":
                    break  # it goes on by itself; `cheops show ID --follow` watches it
        if intent.verb == "read" and any(one.site != intent.site for one in self._outcomes.values()):
            links = await self._mesh.links(intent.site)
            self._trips_s = {one.site: one.round_trip_s for one in links.peers if one.round_trip_s is not None}
        code = self._finish()
        added = [await print_all(self._mesh, one) for one in self._spread()] if intent.verb == "read" else []
        return max([code, *added])

    def _spread(self) -> list[Everywhere]:
        """Parts of something that is spread, where no scope was said: all of its parts are what was asked for."""
        wanted = self._wanted
        if wanted.draft.scope.strip():
            return []
        return [
            Everywhere(
                resources=(identity_of(one),),
                namespace=wanted.draft.namespace,
                scope=scope,
                site=wanted.site,
                server=wanted.server,
                output=wanted.output,
                ascii_only=wanted.ascii_only,
                bound_s=wanted.draft.bound_s,
                timeout_s=wanted.timeout_s,
            )
            for one in self._objects()
            if (scope := spread_over(one))
        ]

    def _objects(self) -> list[Mapping[str, Any]]:
        return [outcome.object for outcome in self._outcomes.values() if outcome.object]

    def _take(self, progress: Progress) -> None:
        verdict, outcome = progress.verdict, progress.outcome
        self._patience.clear()
        if outcome is None:
            self._verdict, self._outcomes = verdict, {}
            if self._text and verdict.verb != "read":
                took_ms = (time.monotonic() - self._started_s) * 1000
                say(render(verdict, self._signs, took_ms, self._place))
            elif self._text and verdict.decision != "allow":
                say(render(verdict, self._signs))
            return
        self._outcomes[outcome.step] = outcome
        is_news = outcome.state != "begun" and (outcome.state != "applied" or sys.stdout.isatty())
        if self._text and verdict.verb != "read" and is_news:
            say([outcome_line(outcome, self._signs)])

    def _place(self, reason: Reason) -> str:
        """The line of the manifest that a finding is about; what was found at the site has none."""
        found = place_of(reason, self._wanted.documents) if reason.code[1:] in ABOUT_MANIFESTS else None
        return f"{found[0]}:{found[1]}" if found else ""

    def _finish(self) -> int:
        verdict = self._verdict
        assert verdict is not None, "following ends with a verdict or an exception"
        if verdict.verb == "read" and verdict.decision == "allow" and not verdict.preview:
            self._print_objects(verdict)
        elif not self._text:
            outcomes = [outcome.model_dump(mode="json", by_alias=True) for outcome in self._outcomes.values()]
            body = verdict.model_dump(mode="json", by_alias=True)
            document({**body, "outcomes": outcomes} if outcomes else body, self._wanted.output)
        return self._end(verdict)

    def _print_objects(self, verdict: Verdict) -> None:
        parts = {one.resources[0] for one in self._spread()}
        for site in dict.fromkeys(one.site for one in self._outcomes.values() if one.resource not in parts):
            if self._text or site != verdict.site:
                age_s = next((one.age_s for one in verdict.evidence if one.site == site), None)
                say_where(site, self._trips_s.get(site), age_s)
        for one in self._objects():
            if identity_of(one) not in parts:
                document(one, Output.JSON if self._wanted.output is Output.JSON else Output.YAML)

    def _end(self, verdict: Verdict) -> int:
        code = exit_code(verdict, self._outcomes.values())
        if code in (EXIT_PARTLY, EXIT_ERROR):
            told = f"cheops: {self._good} of {counted(len(verdict.plan), 'step')} done, not the whole plan"
            if verdict.decision == "deny":
                told = f"cheops: partly done: what is done stays, and the rest is denied at {verdict.site}"
            if verdict.undoes is not None:
                told = "cheops: not done; all that was done is undone"
                told = "cheops: not done, and not all of it could be undone" if code == EXIT_PARTLY else told
            sys.stderr.write(f"{told}; what happened: cheops show {verdict.intent}\n")
        return code

    @property
    def _good(self) -> int:
        return sum(one.state in GOOD_STATES for one in self._outcomes.values())

    def _waits_for(self, intent: EnteredIntent) -> str:
        """One line of progress; it must not wrap, or it could not be taken back."""
        text = f"waiting for the verdict of {intent.site} on {intent.id}"
        if self._verdict is not None:
            first = next((one for one in self._outcomes.values() if one.state == "applied"), None)
            doing = f": {named(first.resource)}, {first.message or 'not ready yet'}" if first else ""
            text = f"{self._good} of {counted(len(self._verdict.plan), 'step')} done{doing}"
        return self._signs.cut(text, self._signs.width - PROGRESS_MARGIN)

    def _note_stored(self) -> None:
        self._is_stored = True

    def _say_where_we_are(self, intent: EnteredIntent, why: str) -> None:
        """Who ends the following does not end the intent."""
        if intent.preview:
            sys.stderr.write(f"{why}; nothing was published\n")
        elif not self._is_stored:
            sys.stderr.write(
                f"{why} while it was published\n        see whether it is stored: cheops show {intent.id}\n"
            )
        else:
            text, decision = self._where_we_are(), self._verdict.decision if self._verdict else ""
            sys.stderr.write(f"{why}: {text}\n        follow it with: cheops show {intent.id} --follow\n")
            if decision in ("", "defer"):
                when = "" if decision else ", should it be deferred"
                sys.stderr.write(f"        give it up{when}: cheops cancel {intent.id}\n")

    def _where_we_are(self) -> str:
        verdict = self._verdict
        if verdict is None:
            return "published, no verdict yet"
        if verdict.decision == "defer":
            return "defer; it goes on by itself"
        applied = sum(one.state == "applied" for one in self._outcomes.values())
        more = f", {applied} applied and not ready yet" if applied else ""
        goes_on = "; it goes on" if self._good < len(verdict.plan) else ""
        return f"{verdict.decision}; {self._good} of {counted(len(verdict.plan), 'step')} done{more}{goes_on}"
