"""Intents that are entered here and are for several sites: asked, combined, committed, followed. Pure.

    begin ─▶ ways to read the scope ─▶ split ─▶ ask each site ─▶ answers ─▶ combine
        allow ─▶ StoreVerdict, then commit to every site     else ─▶ drop what is held, next way, or the verdict

The stored verdict is the point of commit. A site that is not heard is not asked: the intent is deferred (F501) and
begins again when the site is back, when a site says that its answer would change, or after a while.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.peers import Answer, GiveWay, Refuse, Report
from schemas.verdicts import Wait
from services.resolver.across.asking import Bringing
from services.resolver.across.bringing import Bringer
from services.resolver.across.finishing import Finishing
from services.resolver.across.following import Following
from services.resolver.across.healing import Healer, Healing
from services.resolver.across.hearsay import Hearsay
from services.resolver.across.letters import ask, drop, let_go, refuse
from services.resolver.across.order import HybridClock
from services.resolver.across.pending import Backlog, behind, lost_since, moot, nothing_left
from services.resolver.across.reading import Reading
from services.resolver.across.retries import TRY_AGAIN_S, Retries
from services.resolver.across.round import Round, for_all, going_on, next_trial
from services.resolver.across.splitting import Divides
from services.resolver.across.waking import TRYING_MAX_S, Waking
from services.resolver.across.widening import Trial, widenings
from services.resolver.coordinate import combine, enough, not_taken
from services.resolver.desk import Desk
from services.resolver.judge.case import Problem
from services.resolver.signals import Effect, Moment, Supplied
from services.resolver.undoing import Undoing

ANSWER_TIMEOUT_S: Final = 5.0


@dataclass(slots=True)
class Coordinator:
    """Decides, with the others, what is entered here for several sites."""

    desk: Desk
    divides: Divides
    undoing: Undoing
    clock: HybridClock = field(default_factory=HybridClock)
    rounds: dict[str, Round] = field(default_factory=dict)
    retries: Retries = field(default_factory=Retries)
    following: Following = field(init=False)
    hearsay: Hearsay = field(init=False)
    reading: Reading = field(init=False)
    bringer: Bringer = field(init=False)
    healer: Healer = field(init=False)
    backlog: Backlog = field(init=False)
    waking: Waking = field(init=False)
    finishing: Finishing = field(init=False)

    def __post_init__(self) -> None:
        self.following = Following(self.desk.site, self.desk.deeds)
        self.hearsay = Hearsay(self.desk.hearing, self.desk.neighbours)
        self.reading = Reading(self.desk, self.divides)
        self.bringer = Bringer(self.desk)
        self.healer = Healer(self.desk, self.divides)
        self.backlog = Backlog(self.desk)
        self.following.keep = self.backlog.note
        self.waking = Waking(self.desk, self.begin, self.clock, self.rounds, self.retries, self.following, self.backlog)
        self.finishing = Finishing(self.desk, self.undoing, self.rounds, self.retries, self.following, self.backlog)
        self.desk.drifts.is_open = self.backlog.rows.__contains__

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(
        self, intent: Intent, moment: Moment, pause_s: float = TRY_AGAIN_S, only: tuple[SiteName, ...] = ()
    ) -> list[Effect]:
        """Read the scope and ask the sites of its first way. `pause_s`: from here to the next time, unless woken.

        only   the sites for which it is still open; it is done at the others
        """
        self.retries.begun(intent.id, moment.monotonic_s, pause_s)
        intake = self.reading.take_in(intent, moment)
        since = self.finishing.waits_since(intent, self.reading.declared(intake))
        read = self.reading.ways(intent, self.finishing.wanted.members(intent.id, intake, since), is_late=bool(only))
        if not isinstance(read, tuple):
            verdict = self.reading.wrong(intent, read, moment, intake.changes)
            return [*behind(intent, intake, only, verdict, moment), *self.finishing.finish(intent, verdict, moment)]
        scope, ways = read[0], going_on(read[1], self.following.done(intent.id))
        there = max((stamp for stamp, _ in self.reading.declared(intake)), default=0)
        is_followed = self.clock.hear(there, moment.wall)  # what is decided now is later than what is there
        number = self.clock.stamp(moment.wall)
        age = self.finishing.age(intent.id, number if is_followed else there + 1)
        asked = Round(intent, intake, scope, ways, number, age, moment.monotonic_s, only=only, since=since)
        if not is_followed:  # written by a clock that was days ahead: else nothing would be later than that for days
            asked.declared = there + 1
        if only:
            asked.declared = self.reading.declared_by(intent, intake, is_late=True)
            asked.bringing.departed = self.backlog.departed(intent, only)
        self.rounds[intent.id] = asked
        return self._ask(asked, moment)

    def _ask(self, asked: Round, moment: Moment) -> list[Effect]:
        """Ask the sites of the way that is to be tried, all at once."""
        if asked.intent.heal and not asked.healing.is_known:
            return self.healer.fetch(asked, moment)
        known, what = asked.bringing, (asked.intent, asked.intake, asked.scope, asked.way)
        since = asked.declared or asked.since or asked.number
        parts, problems = self.reading.parts(*what, since, known.sets, known.gone)
        parts = {name: part for name, part in parts.items() if not asked.only or name in asked.only}
        if asked.only and not parts and not (known.departed or known.supplies.brought or known.problems):
            if (in_force := self.desk.docket.known(asked.intent.id)) is not None:
                return self.finishing.finish(asked.intent, moot(in_force), moment)
            del self.rounds[asked.intent.id]
            return []
        problems, held = (*problems, *known.torn(parts)), asked.holding
        asked.parts, asked.answers, asked.holding = self.bringer.complete(asked, parts), {}, set()
        asked.deadline_s = moment.monotonic_s + ANSWER_TIMEOUT_S
        problems += tuple(self.reading.placed(asked.intent, asked.scope, one) for one in asked.bringing.problems)
        if problems:  # what was held for the asking before this one is let go of
            verdict = self.reading.wrong(asked.intent, problems, moment, asked.intake.changes)
            asked.answers, asked.holding = {self.desk.site: verdict}, held
            return self._conclude(asked, moment)
        effects: list[Effect] = [drop(asked, name) for name in sorted(held) if name not in asked.parts]
        for name, part in asked.parts.items():
            if self.desk.can_ask(name, moment):
                effects.append(ask(asked, part, self.desk.docket.revision(asked.intent.id)))
            else:
                asked.answers[name] = self.hearsay.unheard(asked.parts[name], "is unreachable", moment)
        return effects if asked.silent else self._after_answers(asked, moment)

    # ── answered ────────────────────────────────────────────────────────────────────────────────────────────────────

    def answered(self, message: Answer, moment: Moment) -> list[Effect]:
        """A site's word on its part. An answer that nobody waits for holds for nothing: it is let go."""
        asked = self.rounds.get(message.intent)
        if asked is None or asked.number != message.round or message.sender not in asked.parts:
            return self._let_go(message, asked) + self.waking.answered_late(message, moment)
        verdict, problem = message.verdict, asked.misfit(message.sender, message.verdict)
        if message.held:
            asked.holding.add(message.sender)
        if message.sender in asked.answers:
            return []  # said twice
        if problem:
            what = f"does not answer what it was asked: {problem}"
            asked.answers[message.sender] = self.hearsay.unheard(asked.parts[message.sender], what[:500], moment)
            refusal = refuse(message, "answer", problem)
            return [refusal] if asked.silent else [refusal, *self._conclude(asked, moment)]
        asked.answers[message.sender] = verdict
        asked.bringing.sets.spread.update(message.spread)
        self.hearsay.remember(asked.parts[message.sender], verdict, moment)
        return [] if asked.silent else self._after_answers(asked, moment)

    def supplied(self, message: Supplied, moment: Moment) -> list[Effect]:
        """What was missing has been fetched, as far as it was to be had: ask again, or conclude without it."""
        asked = self.rounds.get(message.intent)
        if asked is None or asked.number != message.round or not asked.bringing.wanted:
            return []
        if asked.intent.heal:
            return self.healer.supplied(asked, message, moment) or self._ask_again(asked, moment)
        further = self.bringer.from_originals(asked, message, moment)
        if further:
            return further
        brought = self.bringer.supplied(asked, message, moment)
        return self._ask_again(asked, moment) if brought else self._conclude(asked, moment)

    def _after_answers(self, asked: Round, moment: Moment) -> list[Effect]:
        """All have answered: what they lack is brought first, whom they name is asked, too."""
        if lost_since(asked):
            drops: list[Effect] = [drop(asked, name) for name in sorted(asked.holding)]
            return [*drops, *self._ask_again(asked, moment)]
        more = self.bringer.go_on(asked, moment)
        if more is None:
            return self._conclude(asked, moment)
        return more or self._ask_again(asked, moment)

    def _ask_again(self, asked: Round, moment: Moment) -> list[Effect]:
        """A newer round replaces what an older one holds."""
        asked.number = self.clock.stamp(moment.wall)
        return self._ask(asked, moment)

    def _let_go(self, message: Answer, asked: Round | None) -> list[Effect]:
        if not message.held or (asked is None and self.following.is_committed(message.intent, message.sender)):
            return []  # its commit is on the way
        return [let_go(message)]

    def give_way(self, message: GiveWay, moment: Moment) -> list[Effect]:
        """An older intent waits for what this one holds: unless it is decided, it lets go and waits itself."""
        asked = self.rounds.get(message.intent)
        if asked is None or asked.number != message.round or message.sender not in asked.parts:
            return []
        reason = f"intent {message.older}, which is older, changes the same at {message.sender}"
        verdict = self.desk.hearing.unheard(asked.parts[message.sender], "F510", reason, 0.0, moment)
        wait = Wait(site=message.sender, intent=message.older)
        asked.answers[message.sender] = verdict.model_copy(update={"waits_for": (wait,)})
        return self._conclude(asked, moment)

    def refused(self, message: Refuse, moment: Moment) -> list[Effect]:
        """A site could not read what it was asked."""
        asked = self.rounds.get(message.intent)
        if message.what == "decide":
            return self._go_on(self.following.refused(message, moment), moment)
        if asked is None or message.what != "ask" or message.sender not in asked.silent:
            return []
        part, what = asked.parts[message.sender], f"cannot read what it is asked: {message.reason}"
        asked.answers[message.sender] = self.hearsay.unheard(part, what, moment)
        return [] if asked.silent else self._conclude(asked, moment)

    def tick(self, moment: Moment) -> list[Effect]:
        """Answers that did not come in time, and what waits."""
        effects = self.following.tick(moment.monotonic_s)
        for asked in [one for one in self.rounds.values() if moment.monotonic_s >= one.deadline_s]:
            if asked.intent.heal and not asked.healing.is_known:
                effects += self.supplied(Supplied(asked.intent.id, asked.number, {}), moment)
                continue
            for name in asked.silent:
                asked.holding.add(name)  # perhaps: it is told to let go
                what = f"did not answer within {ANSWER_TIMEOUT_S:g} s"
                asked.answers[name] = self.hearsay.unheard(asked.parts[name], what, moment)
            effects += self._conclude(asked, moment)
        return effects + self.waking.tick(moment)

    # ── concluded ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _conclude(self, asked: Round, moment: Moment) -> list[Effect]:
        """Commit when enough sites allow; else let go of what is held, and try the next way."""
        answers = {name: asked.answers[name] for name in asked.parts if name in asked.answers} or asked.answers
        pending = (*self.backlog.put_off(asked, answers, moment), *self.backlog.untold(asked, answers))
        away = {one.site for one in pending}
        if away >= answers.keys():  # nobody is left who has said anything: it waits for them
            pending, away = (), set()
        judged = {name: one for name, one in answers.items() if name not in away}
        taken, left_out = enough(asked.scope, asked.way, judged)
        pending = (*pending, *self.backlog.departures(asked, pending))
        left_out = (*left_out, *pending, *(nothing_left(name) for name in asked.only if name not in asked.parts))
        whole = self.bringer.ordered(asked, combine(list(taken.values()), self.desk.site))
        whole = whole.model_copy(update={"reasons": (*whole.reasons, *left_out)}) if left_out else whole
        whole = whole.model_copy(update={"remedies": (*for_all(whole.remedies, asked.intent), *asked.healing.remedies)})
        if whole.decision == "allow":
            del self.rounds[asked.intent.id]
            if asked.trial is not None:
                return self._tried(asked, True, moment)
            whole = not_taken(whole, asked.failed, self.desk.site)
            out: list[Effect] = [drop(asked, one) for one in asked.holding if one not in taken]
            out += [] if asked.intent.preview else self.backlog.lost(asked, judged, taken, moment)
            return out + self.finishing.finish(asked.intent, whole, moment, asked, tuple(taken))
        silent = [name for name in asked.silent if self.desk.can_ask(name, moment)]
        effects: list[Effect] = [drop(asked, name) for name in dict.fromkeys((*sorted(asked.holding), *silent))]
        asked.failed.append((asked.way, whole))
        if asked.place + 1 < len(asked.ways) and moment.monotonic_s - asked.begun_s < TRYING_MAX_S:
            asked.place += 1
            asked.bringing, asked.healing = Bringing(), Healing()
            asked.number = self.clock.stamp(moment.wall)
            return effects + self._ask(asked, moment)
        del self.rounds[asked.intent.id]
        if asked.is_stale:
            self.retries.at_once(asked.intent.id)
        verdict = asked.best_of_failed(self.desk.site)
        if asked.only and verdict.decision == "defer":  # still open: what is in force says so
            return effects + (self.begin(asked.intent, moment) if self.following.late(asked.intent.id) else [])
        late = asked.only or self.following.late(asked.intent.id)
        effects += behind(asked.intent, asked.intake, late, verdict, moment)
        if asked.trial is not None:
            return effects + self._tried(asked, False, moment)
        offers = widenings(asked.intent.scope.strip() or asked.scope, verdict) if not asked.intent.heal else []
        return effects + self._try_next(asked.intent, Trial(verdict, asked.intake, offers), moment)

    # ── a wider scope ───────────────────────────────────────────────────────────────────────────────────────────────

    def _try_next(self, intent: Intent, trial: Trial, moment: Moment) -> list[Effect]:
        """All sites are asked what they would say in a wider scope; nothing is held for it."""
        asked = next_trial(self.reading, intent, trial, self.clock.stamp(moment.wall), moment.monotonic_s)
        if asked is None:
            return self.finishing.finish(intent, trial.verdict, moment)
        self.rounds[intent.id] = asked
        return self._ask(asked, moment)

    def _tried(self, asked: Round, allowed: bool, moment: Moment) -> list[Effect]:
        trial, intent = asked.trial, asked.original
        assert trial is not None, "a round that tries something"
        assert intent is not None, "a trial knows what was asked"
        if not allowed:
            return self._try_next(intent, trial, moment)
        return self.finishing.finish(intent, trial.offered(), moment)

    def reported(self, message: Report, moment: Moment) -> list[Effect]:
        """How far a site is; when all are over, and the world had changed, it is decided again (where it was late)."""
        return self._go_on(self.following.reported(message, moment), moment)

    def _go_on(self, followed: tuple[list[Effect], Intent | None], moment: Moment) -> list[Effect]:
        effects, again = followed
        return effects + (self.begin(again, moment, only=self.following.late(again.id)) if again is not None else [])

    def deny(self, intent: Intent, problems: list[Problem], moment: Moment) -> list[Effect]:
        """A deferred intent is given up or overtaken, perhaps while it is asked again."""
        asked = self.rounds.pop(intent.id, None)
        drops = [drop(asked, name) for name in asked.parts] if asked is not None else []
        verdict = self.reading.wrong(intent, problems, moment, self.reading.take_in(intent, moment).changes)
        return [*drops, *self.finishing.finish(intent, verdict, moment)]
