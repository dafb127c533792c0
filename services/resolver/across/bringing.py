"""One asking of several sites, between an answer that lacks something and the next asking, which has it. Pure.

answers ──▶ wants ──▶ from the bundle, or AskSupply ──▶ Supplied ──▶ parts with what is brought, and marks
        ──▶ ties of a deletion (copies, originals) ──▶ parts for the sites that they name
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.identity import ResourceId, SiteName
from schemas.intents import Mark
from schemas.peers import Part
from schemas.scope.parse import parse_scope
from schemas.ties import SHARED_FROM
from schemas.verdicts import Reason, Step, Verdict, Wait
from services.resolver.across.asking import COPIES, FOLLOWS, LEAVES, LEFT_BEHIND, STAY, Asking, told_of
from services.resolver.across.gone import named_in, told
from services.resolver.across.parts import resolved
from services.resolver.across.supply import SUPPLIES_MAX, Naming, bare_namespace, shared_to_more
from services.resolver.desk import Desk
from services.resolver.judge.findings import named
from services.resolver.signals import AskSupply, Effect, Moment, Supplied, Want

FETCH_TIMEOUT_S: Final = 3.0
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bringer:
    """At the site where intents are entered."""

    desk: Desk

    def go_on(self, asked: Asking, moment: Moment) -> list[Effect] | None:
        """After all answers. None: they stand; nothing: all are asked again; else what is fetched first."""
        if asked.intent.verb == "delete":
            return [] if self._tied(asked, moment) else None
        if asked.intent.verb == "read" or asked.intent.heal:
            return None
        if self._leaving(asked) or self._left_behind(asked, moment) or self._following(asked, moment):
            return []
        known = [self.desk.site, *self.desk.neighbours.all_but(self.desk.site)]
        naming = Naming(asked.scope, asked.way, self.desk.evidence.surface, known)
        supplies = asked.bringing.supplies
        wants = supplies.fresh(naming.wants(asked.answers))
        if not wants:
            return None
        supplies.rounds += 1
        left = [one for one in wants if not self._from_bundle(asked, one)]
        if not left:
            return []
        asked.bringing.wanted = tuple(left)
        asked.deadline_s = moment.monotonic_s + FETCH_TIMEOUT_S
        return [AskSupply(asked.intent.id, asked.number, tuple(left))]

    def from_originals(self, asked: Asking, signal: Supplied, moment: Moment) -> list[Effect]:
        """A copy of a copy would keep that one alive: what was found as a copy is fetched from its original.

        An original that cannot be heard is no reason to wait: then the copy that was found will do.
        """
        asked_now, again = asked.bringing.wanted, list[Want]()
        for want in asked_now:
            found = signal.bodies.get((want.site, want.resource)) if want.shared else None
            original = (found[1].get("metadata", {}).get("labels") or {}).get(SHARED_FROM) if found else None
            is_known = original in (None, want.site) or original in want.origins[:1]
            if not is_known and original is not None and self._reachable(SiteName(original), moment):
                again.append(replace(want, origins=tuple(dict.fromkeys((SiteName(original), *want.origins)))))
            else:
                again.append(want)
        if again == [*asked_now] or asked.bringing.supplies.rounds >= SUPPLIES_MAX:
            return []
        asked.bringing.supplies.rounds += 1
        asked.bringing.wanted = tuple(again)
        asked.deadline_s = moment.monotonic_s + FETCH_TIMEOUT_S
        return [AskSupply(asked.intent.id, asked.number, tuple(again))]

    def supplied(self, asked: Asking, signal: Supplied, moment: Moment) -> bool:
        """What was fetched has come, or not; True: ask again."""
        bringing, brought = asked.bringing, False
        for want in bringing.wanted:
            found = signal.bodies.get((want.site, want.resource))
            if found is None and want.resource.startswith("Namespace/"):
                at = [one for one in want.origins if one in signal.heard]
                found = (at[0], bare_namespace(want.resource)) if at else None
            silent = [one for one in want.meant if one not in signal.heard]
            if found is not None and (found[0] in want.meant or not silent):
                origin, body = found
                bringing.supplies.bring(want, origin, body, self.desk.hearing.knows)
                bringing.supplies.leave_out(self.desk.neighbours.gone)
                bringing.supplies.mark(want, origin)
                brought = True
            elif silent:
                self._wait_for(asked, want, silent[0], moment)
        bringing.wanted = ()
        return brought

    def _from_bundle(self, asked: Asking, want: Want) -> bool:
        body = asked.bundle.get(want.resource)
        if body is None:
            return False
        asked.bringing.supplies.bring(want, want.origins[0], body, self.desk.hearing.knows)
        asked.bringing.supplies.mark(want, want.origins[0])
        return True

    def _reachable(self, name: SiteName, moment: Moment) -> bool:
        return name == self.desk.site or self.desk.neighbours.reachable(name, moment.monotonic_s)

    def _wait_for(self, asked: Asking, want: Want, origin: SiteName, moment: Moment) -> None:
        """A new sharing from a site that is out of reach is deferred: unknown is not absent."""
        why = "does not give what it has" if self._reachable(origin, moment) else "is unreachable"
        message = f"{named(want.resource)} is to come from {origin}, which {why}"
        verdict = self.desk.hearing.unheard(asked.parts[want.site], "F501", message, None, moment)
        asked.answers[want.site] = verdict.model_copy(update={"waits_for": (Wait(site=origin),)})

    def _tied(self, asked: Asking, moment: Moment) -> bool:
        """Sites with copies of what goes are asked; sites whose copies go are told. True: something is new."""
        bringing, new = asked.bringing, False
        for name, verdict in asked.answers.items():
            for reason in verdict.reasons:
                if reason.resource is None:
                    continue
                for other in reason.at:
                    if reason.code[1:] == COPIES and not _is_asked(asked, other, reason.resource):
                        deletes = bringing.deletes.setdefault(other, [])
                        new = new or reason.resource not in deletes
                        deletes += [reason.resource] if reason.resource not in deletes else []
                    if reason.code[1:] == LEFT_BEHIND and self._reachable(other, moment):
                        told = bringing.unmarks.setdefault(other, {}).setdefault(reason.resource, [])
                        if name not in told and not _is_asked(asked, other, reason.resource):
                            told.append(name)
                            new = True
                    if reason.code[1:] == STAY:
                        left = bringing.departed.setdefault(other, {}).setdefault(reason.resource, [])
                        if name not in left:
                            left.append(name)
                            new = True
        return new

    def _leaving(self, asked: Asking) -> bool:
        """Sites that a new scope leaves out are to delete their replica or part. True: something is new.

        Where a set is may be news here: what no part of the scope says stays there, and then nobody is left out.
        """
        bringing, new = asked.bringing, False
        for teller, verdict in asked.answers.items():
            for resource, sites in told_of(verdict, LEAVES):
                new = bringing.sets.hear(resource, (teller, *sites)) or new
        if new:
            return True
        for verdict in asked.answers.values():
            for resource, sites in told_of(verdict, LEAVES):
                for name in sites:
                    leaving = bringing.leaving.setdefault(name, [])
                    if resource not in leaving:
                        leaving.append(resource)
                        new = True
        return new

    def _left_behind(self, asked: Asking, moment: Moment) -> bool:
        """Originals of copies that leave with their users are told. True: something is new."""
        bringing, new = asked.bringing, False
        for name, verdict in asked.answers.items():
            for resource, sites in told_of(verdict, LEFT_BEHIND) if name in bringing.leaving else ():
                for origin in (one for one in sites if self._reachable(one, moment)):
                    told = bringing.unmarks.setdefault(origin, {}).setdefault(resource, [])
                    new = new or name not in told
                    told += [name] if name not in told else []
        return new

    def _following(self, asked: Asking, moment: Moment) -> bool:
        """Copies of what is written follow it, where their sites can be heard. True: something is new."""
        said = [(name, row) for name, verdict in asked.answers.items() for row in told_of(verdict, FOLLOWS)]
        said += [(one.site, (one.resource, one.at)) for one in self._still_following(asked) if one.resource is not None]
        new = False
        for want in [Want(name, resource, True, (origin,)) for origin, (resource, sites) in said for name in sites]:
            is_new = bool(asked.bringing.supplies.fresh((want,))) and not _is_written(asked, want)
            if is_new and self._reachable(want.site, moment) and not _goes(asked, want):
                new = self._from_bundle(asked, want) or new
        return new

    def _still_following(self, asked: Asking) -> list[Reason]:
        """What the verdict in force says of copies whose original is done: its site says nothing of them any more."""
        in_force = self.desk.docket.known(asked.intent.id)
        said = [one for one in in_force.reasons if one.code[1:] == FOLLOWS] if in_force is not None else []
        targets = {name: answer.targets for name, answer in asked.answers.items()}
        done = (one for one in said if one.site in targets and one.resource not in targets[one.site])
        return [one.model_copy(update={"evidence": -1}) for one in done]

    # ── the parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def complete(self, asked: Asking, parts: Mapping[SiteName, Part]) -> dict[SiteName, Part]:
        """The parts with all that is brought, marked, or goes with it; sites that only lend something get one, too."""
        bringing, supplies = asked.bringing, asked.bringing.supplies
        told = (*bringing.unmarks, *bringing.departed, *supplies.joined())
        names = (*parts, *supplies.brought, *supplies.marks, *bringing.deletes, *told)
        common = asked.intent.model_dump(by_alias=True, exclude={"site", "scope", "resources", "manifests", "entry"})
        made: dict[SiteName, Part] = {}
        for name in dict.fromkeys(names):
            part = parts.get(name)
            marks = supplies.marks.get(name, {})
            said = (*(part.marks if part else ()), *bringing.marks_at(name, asked.bundle))
            more: dict[str, Any] = {
                "brings": supplies.brought_to(name),
                "marks": _if_tied(name, self._by_words(asked, name), said),
                "resources": tuple(dict.fromkeys((*(part.resources if part else ()), *bringing.deletes.get(name, ())))),
            }
            if part is not None:
                more["manifests"] = tuple(self._marked(one, marks) for one in part.manifests)
                made[name] = part.model_copy(update=more)
            elif any(more.values()):
                made[name] = Part(**{**common, **more}, site=name, entry=self.desk.site)
        for name, leaving in bringing.leaving.items():
            got = made.get(name)
            if got is None or not (got.manifests or got.brings):  # words of ours go along with a deletion
                said = _if_tied(name, leaving, got.marks if got else ())
                gone = {**common, "verb": "delete", "resources": tuple(leaving), "marks": said}
                made[name] = Part(**gone, site=name, entry=self.desk.site)
        if asked.intent.verb == "delete" or bringing.leaving:
            together = tuple(name for name, part in made.items() if part.resources or name not in bringing.departed)
            made = {name: part.model_copy(update={"together": together}) for name, part in made.items()}
        left_out = self.desk.neighbours.gone & made.keys()
        bringing.left_out |= dict.fromkeys(left_out)
        return {name: part for name, part in made.items() if name not in left_out}

    def _by_words(self, asked: Asking, name: SiteName) -> list[ResourceId]:
        """What a site is to delete since words elsewhere say that it has it: of a set, or as a copy."""
        said, surface = asked.intent.scope.strip(), self.desk.evidence.surface
        texts = asked.intent.resources if asked.intent.verb == "delete" and not said and name != self.desk.site else ()
        own = (resolved(surface, one, asked.intent.namespace) for one in texts)
        return [*(one for one in own if one is not None), *asked.bringing.deletes.get(name, ())]

    def _marked(self, body: Body, marks: Mapping[ResourceId, Sequence[SiteName]]) -> Body:
        """An original that comes with the bundle carries the word from the start."""
        sites = marks.get(self.desk.hearing.identity(body)) if marks else None
        return shared_to_more(body, sites) if sites else body

    def ordered(self, asked: Asking, verdict: Verdict) -> Verdict:
        """The whole with its steps in order across sites: an original before its copy, when both go the other way."""
        gone, text = self.desk.neighbours.gone, asked.intent.scope.strip()
        if gone:
            former = self.desk.docket.known(asked.intent.id)
            written = named_in(parse_scope(text), gone) if text else ()
            began = [step.site for step in former.plan if step.site in gone] if former is not None else ()
            verdict = told(verdict, (*asked.bringing.left_out, *written, *began), gone)
        if still := self._still_following(asked):
            verdict = verdict.model_copy(update={"reasons": (*verdict.reasons, *still)})
        steps = {(step.site, step.resource): step for step in verdict.plan}
        before: dict[str, set[str]] = {}
        for (name, resource), origin in asked.bringing.supplies.origins.items():
            _put_before(before, steps.get((origin, resource)), steps.get((name, resource)))
        for name, resources in asked.bringing.deletes.items():
            for resource in resources:
                for other in verdict.plan:
                    if other.resource == resource and other.site != name and other.site not in asked.bringing.deletes:
                        _put_before(before, steps.get((name, resource)), other)
        if not before:
            return verdict
        plan = tuple(
            step.model_copy(update={"after": tuple(dict.fromkeys((*step.after, *sorted(before.get(step.id, ())))))})
            for step in verdict.plan
        )
        return verdict.model_copy(update={"plan": plan})


def _put_before(before: dict[str, set[str]], first: Step | None, then: Step | None) -> None:
    if first is not None and then is not None:
        before.setdefault(then.id, set()).add(first.id)


def _is_asked(asked: Asking, name: SiteName, resource: ResourceId) -> bool:
    """Whether a site is asked to delete it already."""
    part = asked.parts.get(name)
    verdict = asked.answers.get(name)
    return part is not None and (resource in part.resources or (verdict is not None and resource in verdict.targets))


def _if_tied(name: SiteName, resources: Iterable[ResourceId], marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """The marks of a part, with what it is to delete only where it is of a set or a copy."""
    marked = {one.resource for one in marks}
    fresh = (one for one in dict.fromkeys(resources) if one not in marked)
    return (*marks, *(Mark(resource=one, leaves=(name,)) for one in fresh))


def _goes(asked: Asking, want: Want) -> bool:
    """Whether a copy goes with its users, which leave; so it is until its site has been asked about that."""
    if want.site not in asked.bringing.leaving:
        return False
    verdict = asked.answers.get(want.site)
    return verdict is None or verdict.verb != "delete" or want.resource in dict(told_of(verdict, LEFT_BEHIND))


def _is_written(asked: Asking, want: Want) -> bool:
    """Whether a site gets it anyway: it is no copy then."""
    verdict = asked.answers.get(want.site)
    return verdict is not None and want.resource in verdict.targets
