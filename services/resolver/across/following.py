"""What was committed to at several sites, from the commit to the last report. Pure; at the entry site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.identity import SiteName
from schemas.intents import Intent
from schemas.outcomes import Outcome
from schemas.peers import Decide, Part, Refuse, Report, Tell
from schemas.verdicts import Reason, Verdict
from services.resolver.across.undertaking import Undertaking
from services.resolver.judge.findings import named
from services.resolver.signals import Effect, SendPeer, StoreOutcome


@dataclass(slots=True)
class Following:
    """Undertakings by intent."""

    site: SiteName
    _all: dict[str, Undertaking] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._all)

    def knows(self, intent_id: str) -> bool:
        """Whether it was committed to and is not over."""
        return intent_id in self._all

    def commit(
        self, intent: Intent, verdict: Verdict, parts: Mapping[SiteName, Part], round_number: int, age: int
    ) -> list[Effect]:
        """Tell every site that its part is to be done."""
        before = self._all.get(intent.id)
        earlier = (*before.earlier, *before.outcomes.values()) if before is not None else ()
        self._all[intent.id] = Undertaking(intent, verdict, tuple(parts), earlier=earlier)
        return [
            SendPeer(
                Decide(
                    sender=self.site,
                    receiver=name,
                    intent=verdict.intent,
                    round=round_number,
                    commit=True,
                    revision=verdict.revision,
                    plan=verdict.plan,
                    part=part,
                    age=age,
                )
            )
            for name, part in parts.items()
        ]

    def forget(self, intent_id: str) -> None:
        """It is denied now: nothing more will be done."""
        self._all.pop(intent_id, None)

    def reported(self, message: Report) -> tuple[list[Effect], Intent | None]:
        """Store it here, tell who waits for it; and the intent to be decided again, when all are over and it has to."""
        undertaking = self._all.get(message.intent)
        if undertaking is None or message.revision != undertaking.verdict.revision:
            return [], None
        problem = undertaking.misfit(message)
        if problem:
            names = {"sender": self.site, "receiver": message.sender, "intent": message.intent}
            return [SendPeer(Refuse(what="report", reason=problem[:500], **names))], None
        was_over = undertaking.is_over
        fresh = undertaking.note(message)
        effects: list[Effect] = []
        if message.sender != self.site:  # our own executor's are stored by itself
            effects += map(StoreOutcome, fresh)
        effects += [self._told(message, name, outcomes) for name, outcomes in _to_tell(undertaking, message, fresh)]
        if was_over or not undertaking.is_over:
            return effects, None
        if undertaking.to_be_decided_again:
            return effects, undertaking.intent
        del self._all[message.intent]
        return effects, None

    def _told(self, message: Report, name: SiteName, outcomes: tuple[Outcome, ...]) -> Effect:
        names = {"sender": self.site, "receiver": name, "intent": message.intent}
        stop = message.refused is not None
        return SendPeer(Tell(revision=message.revision, outcomes=outcomes, stop=stop, **names))

    def with_done(self, verdict: Verdict) -> Verdict:
        """What earlier revisions have done already is named, where the whole is not allowed any more."""
        undertaking = self._all.get(verdict.intent)
        if undertaking is None or verdict.decision == "allow":
            return verdict
        notes = tuple(
            Reason(
                code="N520",
                severity="note",
                message=f"done already at {name}: {', '.join(f'{one.action} {named(one.resource)}' for one in done)}",
                site=name,
            )
            for name, done in undertaking.done.items()
        )
        return verdict.model_copy(update={"reasons": (*verdict.reasons, *notes)})


def _to_tell(
    undertaking: Undertaking, message: Report, fresh: tuple[Outcome, ...]
) -> list[tuple[SiteName, tuple[Outcome, ...]]]:
    """A refusal stops everybody; else who waits for it."""
    if message.refused is None:
        return list(undertaking.to_tell(message.sender, fresh))
    return [(name, fresh) for name in undertaking.sites if name != message.sender and name not in undertaking.over]
