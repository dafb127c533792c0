"""On which nodes a DaemonSet runs a pod, as its controller decides it: names, labels, taints. Pure.

Nodes offer their taints as parts, `gpu=yes:NoSchedule` (schemas/relations/facts.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from schemas.events import LabelSelector, ResourceState
from schemas.identity import KindId, ResourceKey
from schemas.relations.selector import from_object, labels_of, matches
from schemas.untyped import rows_of
from services.resolver.graph.view import View

NODE: Final = KindId("Node")
REPELS: Final = ("NoSchedule", "NoExecute")
CONDITIONS: Final = "node.kubernetes.io/"  # taints of a node that is not well; its controller has them all tolerated


class Term(Struct, frozen=True, omit_defaults=True):
    """One of the terms of a required affinity. `named`, `unnamed`: what it says of the node's name."""

    selector: LabelSelector
    named: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()


class Toleration(Struct, frozen=True, omit_defaults=True):
    """What is left out means everything."""

    key: str = ""
    value: str | None = None
    effect: str = ""


class Placing(Struct, frozen=True, omit_defaults=True):
    """Where the pods of a DaemonSet may run. `terms` None: wherever."""

    node: str = ""
    labels: dict[str, str] = {}
    terms: tuple[Term, ...] | None = None
    tolerations: tuple[Toleration, ...] = ()


def placing_of(spec: Mapping[str, Any]) -> Placing:
    """Of a pod's specification; whatever is malformed asks for nothing."""
    affinity = spec.get("affinity")
    for step in ("nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"):
        affinity = affinity.get(step) if isinstance(affinity, Mapping) else None
    return Placing(
        node=str(spec.get("nodeName") or ""),
        labels=dict(labels_of(spec.get("nodeSelector"))),
        terms=tuple(_term(one) for one in affinity if isinstance(one, Mapping)) if isinstance(affinity, list) else None,
        tolerations=tuple(_toleration(one) for one in rows_of(spec.get("tolerations"))),
    )


def nodes_for(view: View, placing: Placing) -> int | None:
    """How many of a site's nodes it is; None where no node is known."""
    nodes = [state for one in view.members(NODE, "") if (state := view.find(one)) is not None]
    return sum(1 for one in nodes if _runs_on(placing, one)) if nodes else None


def knows_no_nodes(view: View) -> bool:
    """Whoever keeps manifests keeps no nodes: then nothing can be said of those that pods ask for."""
    return next(view.members(NODE, ""), None) is None


def _runs_on(placing: Placing, node: ResourceState) -> bool:
    name = ResourceKey.parse(node.resource).name
    if placing.node not in ("", name):
        return False
    if any(node.labels.get(key) != value for key, value in placing.labels.items()):
        return False
    if placing.terms is not None and not any(_holds(one, name, node.labels) for one in placing.terms):
        return False
    return all(_is_borne(taint, placing.tolerations) for taint in node.parts.get("taint", ()))


def _holds(term: Term, name: str, labels: Mapping[str, str]) -> bool:
    says_nothing = not (term.selector.match_expressions or term.named or term.unnamed)
    if says_nothing or (term.named and name not in term.named) or name in term.unnamed:
        return False
    return matches(term.selector, labels)


def _is_borne(taint: str, tolerations: tuple[Toleration, ...]) -> bool:
    text, _, effect = taint.rpartition(":")
    key, _, value = text.partition("=")
    if effect not in REPELS or key.startswith(CONDITIONS):
        return True
    return any(
        one.effect in ("", effect) and one.key in ("", key) and one.value in (None, value) for one in tolerations
    )


def _term(row: Mapping[str, Any]) -> Term:
    fields = [(one.get("operator"), one.get("values")) for one in rows_of(row.get("matchFields"))]
    said = [(operator, tuple(map(str, values))) for operator, values in fields if isinstance(values, list)]
    selector = from_object({"matchExpressions": row.get("matchExpressions")}) or LabelSelector({}, ())
    named = tuple(name for operator, names in said if operator == "In" for name in names)
    unnamed = tuple(name for operator, names in said if operator == "NotIn" for name in names)
    return Term(selector, named, unnamed)


def _toleration(row: Mapping[str, Any]) -> Toleration:
    value = None if row.get("operator") == "Exists" else str(row.get("value") or "")
    return Toleration(str(row.get("key") or ""), value, str(row.get("effect") or ""))
