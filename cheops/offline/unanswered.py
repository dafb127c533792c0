"""Webhooks that nobody answers: the API server refuses every request that they are asked about. Pure.

One with `failurePolicy: Fail` whose Service is not there; one that may not be asked (`matchConditions`) is left out.
Online its own dry run says it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.events import ServedKind
from schemas.identity import ResourceId, ResourceKey, split_kind
from schemas.relations.selector import NAME_LABEL, from_object, labels_of, matches
from services.resolver.judge.demand import mapping_of, rows_of

Body = Mapping[str, Any]
GROUP: Final = "admissionregistration.k8s.io"  # of what says who is asked: nobody is asked about that
HOOKS: Final = tuple(f"{GROUP}/{one}WebhookConfiguration/" for one in ("Mutating", "Validating"))
NAMESPACE: Final = "Namespace"


class Request(NamedTuple):
    """What the API server is asked to do. `labels`: of the object, before or after."""

    operation: str
    resource: ResourceId
    served: ServedKind
    version: str
    labels: tuple[Mapping[str, str], ...]


def unanswered(request: Request, bodies: Mapping[ResourceId, Body]) -> str:
    """The API server's words; "" when everybody who is asked is there. `bodies`: what is at the site."""
    if split_kind(request.served.kind)[0] == GROUP:
        return ""
    for name, hook in _hooks(bodies):
        service = mapping_of(mapping_of(hook.get("clientConfig")).get("service"))
        home, of = service.get("namespace"), service.get("name")
        if not home or not of or ResourceId(f"Service/{home}/{of}") in bodies:
            continue
        if _is_asked(hook, request, bodies):
            return f'failed calling webhook "{name}": service "{of}" not found'
    return ""


def _hooks(bodies: Mapping[ResourceId, Body]) -> Iterator[tuple[str, Body]]:
    for resource, body in bodies.items():
        if resource.startswith(HOOKS) and not mapping_of(body.get("metadata")).get("deletionTimestamp"):
            for hook in rows_of(body.get("webhooks")):
                if hook.get("failurePolicy", "Fail") == "Fail" and not hook.get("matchConditions"):
                    yield str(hook.get("name")), hook


def _is_asked(hook: Body, request: Request, bodies: Mapping[ResourceId, Body]) -> bool:
    if not any(_rules(rule, request) for rule in rows_of(hook.get("rules"))):
        return False
    of_object = from_object(hook.get("objectSelector"))
    if of_object is not None and not any(matches(of_object, labels) for labels in request.labels):
        return False
    of_namespace = from_object(hook.get("namespaceSelector"))
    if of_namespace is None or not (request.served.namespaced or request.served.kind == NAMESPACE):
        return True  # what is in no namespace is asked about whatever the selector says
    return matches(of_namespace, _of_its_namespace(request.resource, bodies))


def _of_its_namespace(resource: ResourceId, bodies: Mapping[ResourceId, Body]) -> Mapping[str, str]:
    key = ResourceKey.parse(resource)
    name = key.namespace or key.name
    body = bodies.get(ResourceId(f"{NAMESPACE}/{name}"), {})
    return {**labels_of(mapping_of(body.get("metadata")).get("labels")), NAME_LABEL: name}


def _rules(rule: Body, request: Request) -> bool:
    group = split_kind(request.served.kind)[0]
    scope = "Namespaced" if request.served.namespaced else "Cluster"
    return (
        _names(rule.get("operations"), request.operation)
        and _names(rule.get("apiGroups"), group)
        and _names(rule.get("apiVersions"), request.version)
        and _names(rule.get("resources"), request.served.plural, "*/*")
        and rule.get("scope", "*") in ("*", scope)
    )


def _names(listed: Any, word: str, *others: str) -> bool:
    return isinstance(listed, list) and any(one in listed for one in (word, "*", *others))
