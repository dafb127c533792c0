"""A draft → published, followed, printed, and an exit code."""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cheops.cli.failures import EXIT_DEFER, EXIT_DENY, EXIT_INTERRUPTED, EXIT_PARTLY, BadInputError
from cheops.cli.options import Output
from cheops.cli.render.output import document, say
from cheops.cli.render.signs import Signs, signs_for
from cheops.cli.render.verdict import outcome_line, render
from cheops.cli.running import with_mesh
from cheops.drafts import Intent
from cheops.following import Progress
from cheops.mesh import Mesh
from schemas.documents import Document, read_documents
from schemas.intents import Intent as EnteredIntent
from schemas.outcomes import Outcome
from schemas.verdicts import Verdict

CODES: Final = {"allow": 0, "deny": EXIT_DENY, "defer": EXIT_DEFER}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed."""

    draft: Intent
    site: str | None
    server: str | None
    output: Output
    ascii_only: bool
    no_wait: bool
    timeout_s: float


def manifests_of(paths: list[Path], namespace: str) -> tuple[Mapping[str, Any], ...]:
    """Read and check manifests; an error names file, line and field, and nothing is sent."""
    return tuple(one.body for one in checked_documents(paths, namespace))


def checked_documents(paths: list[Path], namespace: str, *, empty: bool = False) -> list[Document]:
    """The same, with their places in the files; `empty`: there need not be any."""
    documents = [one for path in paths for one in read_documents(path)]
    if paths and not documents and not empty:
        raise BadInputError(f"{', '.join(map(str, paths))}: no object in it (expected Kubernetes manifests)")
    for one in documents:
        one.check_object()
        own = one.body.get("metadata", {}).get("namespace")
        if namespace and own and own != namespace:
            where = f"{one.file}:{one.line_of(('metadata', 'namespace'))}"
            raise BadInputError(f"{where}: metadata.namespace is {own!r}, but -n says {namespace!r}")
    _refuse_twins(documents, namespace)
    return documents


def _refuse_twins(documents: list[Document], namespace: str) -> None:
    seen: dict[tuple[str, str, str, str], str] = {}
    for one in documents:
        body, metadata = one.body, one.body["metadata"]
        group = body["apiVersion"].rpartition("/")[0]
        key = (group, body["kind"], metadata.get("namespace") or namespace, metadata.get("name", ""))
        where = f"{one.file}:{one.line}"
        if key in seen:
            raise BadInputError(f"{where}: {body['kind']} {key[3]!r} stands twice (first at {seen[key]})")
        seen[key] = where


def submit(wanted: Wanted) -> int:
    """Publish and follow; returns the exit code."""
    return with_mesh(lambda mesh: _Submission(mesh, wanted).run(), wanted.server, wanted.site)


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

    async def run(self) -> int:
        wanted = self._wanted
        intent = await self._mesh.enter(wanted.draft, site=wanted.site)
        if wanted.no_wait and not wanted.draft.preview:
            await self._mesh.publish(intent)
            sys.stdout.write(f"{intent.id}\n")
            return 0
        try:
            return await self._follow(intent)
        except BaseException as error:
            if not _interrupted(error):
                raise
            self._say_where_we_are(intent)
            return EXIT_INTERRUPTED

    async def _follow(self, intent: EnteredIntent) -> int:
        if intent.preview:
            self._take(Progress(await self._mesh.preview(intent)))
        else:
            async for progress in self._mesh.follow(intent, verdict_timeout_s=self._wanted.timeout_s):
                self._take(progress)
                if progress.verdict.decision == "defer":
                    break  # it goes on by itself; `cheops show ID --follow` watches it
        return self._finish()

    def _take(self, progress: Progress) -> None:
        verdict, outcome = progress.verdict, progress.outcome
        if outcome is None:
            self._verdict, self._outcomes = verdict, {}
            if self._text and verdict.verb != "read":
                say(render(verdict, self._signs, (time.monotonic() - self._started_s) * 1000))
            elif self._text and verdict.decision != "allow":
                say(render(verdict, self._signs))
            return
        self._outcomes[outcome.step] = outcome
        if self._text and verdict.verb != "read" and (outcome.state != "applied" or sys.stdout.isatty()):
            say([outcome_line(outcome, self._signs)])

    def _finish(self) -> int:
        verdict = self._verdict
        assert verdict is not None, "following ends with a verdict or an exception"
        if verdict.verb == "read" and verdict.decision == "allow":
            self._print_objects(verdict)
        elif not self._text:
            outcomes = [outcome.model_dump(mode="json") for outcome in self._outcomes.values()]
            body = verdict.model_dump(mode="json", by_alias=True)
            document({**body, "outcomes": outcomes} if outcomes else body, self._wanted.output)
        return self._exit_code(verdict)

    def _print_objects(self, verdict: Verdict) -> None:
        objects = [outcome.object for outcome in self._outcomes.values() if outcome.object]
        age = next((f"{one.age_s:.1f} s old" for one in verdict.evidence if one.age_s is not None), "age unknown")
        if self._text:
            sys.stderr.write(f"{verdict.site}: read now, the graph's knowledge is {age}\n")
        for one in objects:
            document(one, Output.JSON if self._wanted.output is Output.JSON else Output.YAML)

    def _exit_code(self, verdict: Verdict) -> int:
        if verdict.decision != "allow" or verdict.preview:
            return CODES[verdict.decision]
        states = Counter(outcome.state for outcome in self._outcomes.values())
        good = states["ready"] + states["done"]
        if good == len(verdict.plan):
            return 0
        if self._text:
            sys.stderr.write(f"cheops: {good} of {len(verdict.plan)} steps done (cheops show {verdict.intent})\n")
        return EXIT_PARTLY if good else 1

    def _say_where_we_are(self, intent: EnteredIntent) -> None:
        if self._verdict is None:
            text = "published, no verdict yet" if not intent.preview else "nothing was published"
        else:
            done = sum(outcome.state in ("ready", "done") for outcome in self._outcomes.values())
            text = f"{self._verdict.decision}; {done} of {len(self._verdict.plan)} steps done, the rest goes on"
        sys.stderr.write(f"\ncheops: interrupted: {text}\n        follow it with: cheops show {intent.id} --follow\n")


def _interrupted(error: BaseException) -> bool:
    """asyncio turns Ctrl-C into the cancellation of the main task."""
    import asyncio

    return isinstance(error, (KeyboardInterrupt, asyncio.CancelledError)) and signal.SIGINT is not None
