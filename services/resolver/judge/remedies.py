"""What would turn the answer: commands that can be pasted. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.identity import ResourceId, ResourceKey
from schemas.verdicts import Reason, Remedy
from services.resolver.judge.case import Case
from services.resolver.judge.findings import named

IN_USE: Final = frozenset(("310", "311", "312"))


def remedies_for(case: Case, reasons: Sequence[Reason]) -> tuple[Remedy, ...]:
    """The smallest changes that would make the answer an allow."""
    numbers = {reason.code[1:] for reason in reasons if reason.severity == "deny"}
    if case.verb == "delete" and numbers and numbers <= IN_USE and case.cascade == "none":
        return (_delete(case),)
    if numbers and numbers <= {"110", "140"}:
        return (_bring(case, reasons),)
    if numbers == {"101"}:
        return (Remedy(command=f"cheops apply -f FILE --site {case.site}", effect="update what is there instead"),)
    if numbers == {"102"}:
        return (Remedy(command=f"cheops apply -f FILE --site {case.site}", effect="create what is not there"),)
    return ()


def _delete(case: Case) -> Remedy:
    """Without their number: to count those that would go, all of them would have to be judged; the preview does."""
    targets = [change.resource for change in case.changes]
    words = " ".join(typed(one) for one in targets)
    where = _where(case, targets)
    return Remedy(
        command=f"cheops delete {words}{where} --cascade dependents --preview", effect="delete its dependents too"
    )


def _bring(case: Case, reasons: Sequence[Reason]) -> Remedy:
    missing = [reason.resource for reason in reasons if reason.severity == "deny" and reason.resource]
    names = ", ".join(named(one) for one in dict.fromkeys(missing))
    return Remedy(
        command=f"cheops {case.verb} -f FILE -f MISSING.yaml --site {case.site}", effect=f"bring it along: {names}"
    )


def typed(resource: ResourceId) -> str:
    """`secret/edge-ca`, as a person types it."""
    key = ResourceKey.parse(resource)
    return f"{key.kind.lower()}{'.' + key.group if '.' in key.group else ''}/{key.name}"


def _where(case: Case, targets: Sequence[ResourceId]) -> str:
    namespaces = {ResourceKey.parse(one).namespace for one in targets} - {""}
    namespace = f" -n {min(namespaces)}" if len(namespaces) == 1 else ""
    return f"{namespace} --site {case.site}"
