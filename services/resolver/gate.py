"""What an API server asks before it writes → the verdict's word. Pure: answered from memory, within its time-out.

    AdmissionReview ─▶ delete KIND/NAME, create or apply the object as it will be ─▶ judge ─▶ allowed, warned, refused

So whoever uses plain kubectl is told what would break, before it does. What breaks others is refused; what the object
itself lacks still is said only, because people apply files in any order and controllers try again. Who is about to go
uses nothing: `kubectl delete` names one object after the other, and collecting what they owned takes a moment. What is
not known is let through, with a warning, unless the object is protected: who uses its copies at other sites, too, since
none is asked. Never asked about is what has been decided
already: our own writes, the deletions that an intent has in flight, and whatever still has to happen to what is being
deleted. Who uses it while an intent changes that user keeps it, too: that is known, whichever way the intent ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from msgspec import Struct
from pydantic import ValidationError

from schemas.envelope import describe
from schemas.identity import ResourceId, SiteName, kind_of, resource_id
from schemas.intents import Intent
from schemas.ties import OVERRIDE, OVERRIDE_FACT, PROTECTED
from schemas.untyped import mapping_of
from schemas.verdicts import Reason, Verdict
from services.chassis.kubernetes.declaration import MANAGER
from services.resolver.desk import Desk
from services.resolver.graph.label_index import namespace_of
from services.resolver.hearing import DEFECT
from services.resolver.intake import Intake
from services.resolver.judge.case import Change
from services.resolver.judge.findings import named
from services.resolver.judge.ties import COPIES, OF_OTHERS
from services.resolver.judge.use import ends, lives
from services.resolver.judge.written import WrittenReason, WrittenVerdict
from services.resolver.lately import Lately
from services.resolver.plain import decided_at_once
from services.resolver.reviews import (
    Request,
    answered,
    as_declared,
    codes_in,
    is_person,
    labels_of,
    leaves_behind,
    metadata_of,
    overridden_by,
    request_in,
    resource_in,
)
from services.resolver.scales import scaled, starts_again
from services.resolver.signals import Moment

Denies = Literal["breaking", "all", "nothing"]
Because = Reason | WrittenReason

NAME: Final = "gate"  # of each of its intents: none is stored
VALID_FOR: Final = timedelta(seconds=30)  # an API server waits no longer for an answer
WARNINGS_MAX: Final = 8
WARNING_LEN_MAX: Final = 240  # an API server cuts longer ones when there are many
REASONS_MAX: Final = 10
OWNERS_MAX: Final = 8
ELSEWHERE: Final = "F341"  # as a verdict defers what another site has to say; an intent asks it, and notes COPIES
# Whose reason names who uses it.
USERS: Final = ("D210", "D211", "D310", "D311", "D312", "D313", "W210", "W211", "W310", "W311", "W312")
IN_FLIGHT: Final = "F510"  # stands for one of USERS, or for a part in use, while an intent changes who uses it
BREAKING: Final = ("D2", "D3")  # numbers about what others need (schemas/codes)
OF_INTENTS: Final = ("D0", "D6", "D140")  # on its form, scope, namespace: of what an API server takes they say nothing
MISSING: Final = ("D110", "W110")
OF_CHILDREN: Final = ("D313", "W314")
SERVERS_OWN: Final = (
    "system:serviceaccount:kube-system:",
    "system:kube-",
    "system:node:",
    "system:apiserver",
    "system:cloud-controller-manager",
)


class Said(Struct, frozen=True):
    """The answer. `message`: why it is refused, or would be; `overridden`: codes that an annotation has let pass."""

    allowed: bool
    message: str = ""
    warnings: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    judged: bool = True


PASSED: Final = Said(True, judged=False)


class Gate:
    """One site's. `denies`: what is refused; all else is said as warnings."""

    def __init__(self, desk: Desk, denies: Denies = "breaking") -> None:
        self._desk, self._denies, self._lately = desk, denies, Lately()

    def answer(self, payload: bytes, moment: Moment) -> tuple[bytes, Request, Said]:
        """The AdmissionReview that goes back, what was asked, and what is said. Raises BadReviewError."""
        request = request_in(payload)
        said = self.say(request, moment)
        return answered(request, said.allowed, said.message, said.warnings), request, said

    def say(self, request: Request, moment: Moment) -> Said:
        """Whether it may be done."""
        self._lately.forget(moment.monotonic_s)
        body = request.old_object if request.operation == "DELETE" else request.object
        scaling = scaled(self._desk, request)
        resource = resource_in(request, body) if scaling is None else scaling.resource
        if body is None or resource is None or self._is_decided(request, resource, scaling):
            return PASSED
        hearing = self._desk.hearing
        try:
            intent = _intent(request, resource, body, self._desk.site, moment)
        except ValidationError as error:  # more than an intent can hold; nothing of it is in what is said
            return Said(True, warnings=(f"not judged: {describe(error, limit=1)}",), judged=False)
        verdict: Verdict | WrittenVerdict | None = decided_at_once(self._desk, intent, moment)
        if verdict is None:
            intake = hearing.take_in(intent, moment) if scaling is None else Intake((scaling,), (), {})
            case = hearing.case(intent, intake, 1, moment)
            verdict = hearing.judge(case, self._desk.view(), moment)
        said = self._said(verdict, request, resource, body, moment, scaling)
        if said.allowed and not request.dry_run:
            uid = str(metadata_of(body).get("uid") or "")
            self._lately.note(request.operation, resource, uid, moment.monotonic_s)
        return said

    def _is_decided(self, request: Request, resource: ResourceId, scaling: Change | None) -> bool:
        """Something of its own is true of it, or nothing can be kept any more."""
        if request.user_info.username.startswith(SERVERS_OWN):
            return True
        if request.operation not in ("CREATE", "UPDATE", "DELETE") or (request.sub_resource and scaling is None):
            return True
        if scaling is not None and not is_person(request) and starts_again(self._desk, scaling):
            return True
        if "deletionTimestamp" in metadata_of(request.old_object):
            return True
        view = self._desk.view()
        known = view.find(resource)
        if known is not None and request.operation != "DELETE":
            uid = metadata_of(request.old_object).get("uid")  # none of what is made now
            if known.uid and uid != known.uid:
                return True  # what is known is of the one before it
        if self._home_goes(request.namespace):
            return True
        if mapping_of(request.options).get("fieldManager") == MANAGER:
            return True
        return request.operation == "DELETE" and self._desk.holds.deletes(resource)  # a deletion names no manager

    def _said(
        self,
        verdict: Verdict | WrittenVerdict,
        request: Request,
        resource: ResourceId,
        body: dict[str, Any],
        moment: Moment,
        scaling: Change | None,
    ) -> Said:
        words, overridden = {*overridden_by(request.old_object), *overridden_by(body)}, list[str]()
        labels = {*labels_of(request.old_object), *labels_of(body)}
        if scaling is not None and scaling.after is not None:  # a Scale has none of its own
            words.update(codes_in(scaling.after.facts.get(OVERRIDE_FACT)))
            labels.update(name for name, value in scaling.after.labels.items() if value == "true")
        orphans = leaves_behind(request)
        blocking, more = list[Because](), list[Because]()
        for reason in verdict.reasons:
            if DEFECT in reason.message:  # nothing was judged
                more.append(reason)
                continue
            if reason.code.startswith(OF_INTENTS) or (orphans and self._stays(reason, resource)):
                continue
            if self._is_made(reason):
                continue
            waits = _is_of_another(reason, resource)
            if (waits or reason.code in USERS) and reason.resource is not None and self._goes(reason.resource):
                continue
            others = [name for name in reason.at if name not in self._desk.neighbours.gone]
            if waits or self._blocks(reason):
                if reason.code not in words:
                    blocking.append(reason)
                    continue
                overridden.append(reason.code)
            if reason.code[1:] in OF_OTHERS and not others:
                continue  # nobody there is asked, whoever deletes it
            if reason.code == COPIES:
                more.append(_unasked(reason, others))
            elif reason.severity != "note":
                more.append(reason)
        open_ = [one for one in more if one.severity == "defer" or DEFECT in one.message]
        unknown = [one for one in open_ if PROTECTED in labels and one.code not in overridden]
        message = _message(verdict, blocking or unknown, request, blocking) if blocking or unknown else ""
        if message and self._denies != "nothing":
            return Said(False, message)
        warnings = tuple(_warnings([*blocking, *more])) if is_person(request) else ()
        return Said(True, message, warnings, () if message else tuple(dict.fromkeys(overridden)))

    def _stays(self, reason: Because, resource: ResourceId) -> bool:
        """What it says to be missed is there when what the resource owns stays: it was that, or does as well."""
        edge = reason.relation
        if reason.code in OF_CHILDREN or edge is None or reason.code not in USERS:
            return reason.code in OF_CHILDREN
        if edge.target != resource:  # of what goes along with it a denial is D313: this is what its own going does
            return not reason.code.startswith("D")
        view = self._desk.view()
        user = view.find(edge.source)
        rows = user.references if user is not None else ()
        ways = [one for one in rows if one.selector is not None and (one.rule, one.path) == (edge.rule, edge.path)]
        found = (one for way in ways for one in view.targets(edge.source, way).present)
        return any(one != resource and lives(view, one) for one in found)

    def _goes(self, resource: ResourceId) -> bool:
        """It, or who owns it, was let go a moment ago, ends, or is there no more: what it owned is collected then."""
        view = self._desk.view()
        for _ in range(OWNERS_MAX):
            state = view.find(resource)
            if state is None or state.deleting or self._home_goes(namespace_of(resource)):
                return True
            if self._lately.goes(resource, state.uid):
                return True
            owners = [one for one in state.references if one.relation == "composition" and one.uid]
            there = [one.target for one in owners if view.targets(resource, one).count]
            if not there:
                return bool(owners) and all(self._desk.evidence.sees(kind_of(one.target)) for one in owners)
            resource = there[0]
        return False

    def _home_goes(self, namespace: str) -> bool:
        """With all that is in it."""
        home = self._desk.view().find(resource_id("", "Namespace", "", namespace)) if namespace else None
        return home is not None and (ends(home) or self._lately.goes(home.resource, home.uid))

    def _is_made(self, reason: Because) -> bool:
        """What it says to be missing is made right now."""
        edge = reason.relation
        named_ = edge.target if edge is not None and reason.code in MISSING else None
        return named_ is not None and named_ == reason.resource and self._lately.is_made(named_)

    def _blocks(self, reason: Because) -> bool:
        return reason.severity == "deny" and (self._denies == "all" or reason.code.startswith(BREAKING))


def _is_of_another(reason: Because, resource: ResourceId) -> bool:
    """Another one uses it, and will, or may, when what an intent does to that one has been seen."""
    return reason.code == IN_FLIGHT and reason.relation is not None and reason.relation.source != resource


def _intent(request: Request, resource: ResourceId, body: dict[str, Any], site: SiteName, moment: Moment) -> Intent:
    what: dict[str, Any] = {"verb": "delete", "resources": (resource,)}
    if request.operation != "DELETE":  # apply: what was just made may not have been seen yet
        verb = "create" if request.operation == "CREATE" else "apply"
        what = {"verb": verb, "manifests": (as_declared(body),)}
    return Intent(
        id=NAME,
        site=site,
        namespace=request.namespace,
        requester=request.user_info.username[:253],
        created_at=moment.wall,
        expires_at=moment.wall + VALID_FOR,
        preview=True,
        **what,
    )


def _unasked(reason: Because, sites: Sequence[SiteName]) -> WrittenReason:
    """Copies stay when nobody asks their sites: whether they are in use there is not known."""
    assert reason.resource is not None, "of copies it is said whose"
    where, who = named(reason.resource), ", ".join(sites)
    message = f"{where} is shared to {who}: who uses it there only an intent asks (cheops delete)"
    return WrittenReason(ELSEWHERE, "defer", message, reason.site, reason.resource, at=tuple(sites))


def _warnings(reasons: list[Because]) -> Iterator[str]:
    for reason in reasons[:WARNINGS_MAX]:
        yield f"{reason.code} {reason.message}"[:WARNING_LEN_MAX]
    if len(reasons) > WARNINGS_MAX:
        yield f"and {len(reasons) - WARNINGS_MAX} more"


def _message(
    verdict: Verdict | WrittenVerdict, reasons: list[Because], request: Request, counted: list[Because]
) -> str:
    """As a person reads it below kubectl's own words."""
    lines = [verdict.summary, *(f"  {one.code} {one.message}{_place(one)}" for one in reasons[:REASONS_MAX])]
    if len(reasons) > REASONS_MAX:
        lines.append(f"  and {len(reasons) - REASONS_MAX} more")
    lines += [f"  help: {remedy.effect}: {remedy.command}" for remedy in verdict.remedies]
    codes = ",".join(dict.fromkeys(one.code for one in counted))
    if codes and request.operation != "CREATE":
        lines.append(f"  or do it all the same: annotate it with {OVERRIDE}={codes}")
    return "\n".join(lines)


def _place(reason: Because) -> str:
    return f"  {reason.relation.path}" if reason.relation is not None else ""
