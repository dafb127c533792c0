"""Does a ValidatingAdmissionPolicy of the site deny a creation or an update? As an API server says. Pure.

bindings that deny ─▶ their policies ─▶ is this object theirs ─▶ conditions, variables, validations (in CEL)

What cannot be told denies nothing: what parameters say, who asks, what a mutating webhook or policy may still
change, and what the API server may fill in. Policies that come with the bundle are not in force yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cheops.forms.cel import holds, missing_key, said, value_of
from cheops.forms.custom import Definitions, kind_named, kind_version, schema_of
from cheops.forms.filled import filled_in, is_open
from cheops.forms.schema_fits import filled
from cheops.forms.validations import seen
from schemas.events import ServedKind
from schemas.identity import ResourceId, ResourceKey, kind_id
from schemas.relations.selector import NAME_LABEL, from_object, labels_of, matches
from schemas.untyped import mapping_of, rows_of, texts_of

Body = Mapping[str, Any]
Bodies = Mapping[ResourceId, Body]
GROUP: Final = "admissionregistration.k8s.io"
BINDINGS: Final = f"{GROUP}/ValidatingAdmissionPolicyBinding/"
POLICIES: Final = f"{GROUP}/ValidatingAdmissionPolicy/"
MUTATING: Final = (f"{GROUP}/MutatingWebhookConfiguration/", f"{GROUP}/MutatingAdmissionPolicyBinding/")
EVERY: Final = "*"
OF_OTHERS: Final = re.compile(r"\b(?:oldObject|namespaceObject|request|variables)\b")
MARKS: Final = ("labels", "annotations")
A_MARK: Final = {"cheops.io/anybody": ""}


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of an API server. `before` None: the object is made; `deletes`: it goes, as it is."""

    resource: ResourceId
    served: ServedKind
    before: Body | None
    after: Body
    deletes: bool = False

    @property
    def operation(self) -> str:
        if self.deletes:
            return "DELETE"
        return "CREATE" if self.before is None else "UPDATE"

    @property
    def key(self) -> ResourceKey:
        return ResourceKey.parse(self.resource)


def denials(request: Request, bodies: Bodies, definitions: Definitions, coming: Bodies | None = None) -> list[str]:
    """What the API server would say; `bodies`: what is at the site; `coming`: that, and what comes with the bundle."""
    bindings = [one for name, one in bodies.items() if name.startswith(BINDINGS)]
    key = request.key
    of_limits = (f"LimitRange/{key.namespace}/",) if key.kind_id == "Pod" else ()  # they fill in what a pod asks
    changers = (*MUTATING, *of_limits)
    if not bindings or key.group == GROUP or any(name.startswith(changers) for name in bodies):
        return []
    found = []
    for binding in bindings:
        spec = mapping_of(binding.get("spec"))
        policy = mapping_of(bodies.get(ResourceId(f"{POLICIES}{spec.get('policyName')}")))
        says = mapping_of(policy.get("spec"))
        matched = (mapping_of(says.get("matchConstraints")), mapping_of(spec.get("matchResources")))
        if not policy or not all(is_matched(one, request, bodies) for one in matched):
            continue
        head = f"ValidatingAdmissionPolicy '{spec['policyName']}' with binding '{_name(binding)}' denied request"
        if says.get("paramKind"):
            found += [f"{head}: {text}" for text in _unparametered(says, spec, request, coming or bodies)]
        elif "Deny" in texts_of(spec.get("validationActions")):
            found += [f"{head}: {text}" for text in _broken(says, request, bodies, definitions)]
    return found


def _unparametered(says: Body, spec: Body, request: Request, coming: Bodies) -> Iterator[str]:
    """A binding whose parameters are not there may ask for a denial; what they say where they are is not told."""
    named, sort = mapping_of(spec.get("paramRef")), mapping_of(says.get("paramKind"))
    if named.get("parameterNotFoundAction") != "Deny" or says.get("failurePolicy", "Fail") != "Fail":
        return
    kind = kind_id(str(sort.get("apiVersion")).rpartition("/")[0], str(sort.get("kind")))
    wanted = from_object(named.get("selector")) if "selector" in named else None
    for name, one in coming.items():
        key = ResourceKey.parse(name) if name.startswith(f"{kind}/") else None
        if key is None or key.kind_id != kind:
            continue
        is_near = not key.namespace or key.namespace == (named.get("namespace") or request.key.namespace)
        if is_near and (key.name == named.get("name") if wanted is None else matches(wanted, _labels(one))):
            return
    yield "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"


def _name(body: Body) -> Any:
    return mapping_of(body.get("metadata")).get("name")


def is_matched(said_of: Body, request: Request, bodies: Bodies) -> bool:
    """Whether rules and selectors of a policy, a binding or a webhook speak of a request."""
    rules = rows_of(said_of.get("resourceRules"))
    if rules and not any(_is_named(one, request) for one in rules):
        return False
    if any(_is_named(one, request) for one in rows_of(said_of.get("excludeResourceRules"))):
        return False
    objects = from_object(said_of.get("objectSelector"))
    if objects and not any(matches(objects, _labels(one)) for one in (request.after, request.before or {})):
        return False
    spaces = from_object(said_of.get("namespaceSelector"))
    if spaces is None or not (spaces.match_labels or spaces.match_expressions):
        return True
    is_space = request.key.kind_id == "Namespace"
    space = request.after if is_space else bodies.get(ResourceId(f"Namespace/{request.key.namespace}"))
    if space is None:
        return not request.key.namespace  # a selector says nothing of what is in no namespace
    return matches(spaces, {NAME_LABEL: str(_name(space)), **_labels(space)})


def _labels(body: Body) -> Mapping[str, str]:
    return labels_of(mapping_of(body.get("metadata")).get("labels"))


def _is_named(rule: Body, request: Request) -> bool:
    key, served = request.key, request.served
    wanted = (
        ("operations", request.operation),
        ("apiGroups", key.group),
        ("apiVersions", kind_version(request.after)),
    )
    names, scope = texts_of(rule.get("resourceNames")), rule.get("scope") or EVERY
    return (
        all({EVERY, one} & {*texts_of(rule.get(field))} for field, one in wanted)
        and bool({EVERY, "*/*", served.plural} & {*texts_of(rule.get("resources"))})
        and (not names or key.name in names)
        and scope in (EVERY, "Namespaced" if served.namespaced else "Cluster")
    )


def _broken(says: Body, request: Request, bodies: Bodies, definitions: Definitions) -> Iterator[str]:
    given = _given(request, bodies, definitions)
    body = mapping_of(given["object"])
    variables = {str(one.get("name")): str(one.get("expression")) for one in rows_of(says.get("variables"))}
    if not _conditions_hold(says, given):
        return
    for name, expression in variables.items():
        value = None if is_open(expression, body) else value_of(expression, given)
        if value is not None:  # who reads one that is not there is not told
            given["variables"] = {**given["variables"], name: value}
    for one in rows_of(says.get("validations")):
        expression = str(one.get("expression"))
        if is_open(expression, body):
            continue
        if says.get("failurePolicy", "Fail") == "Fail" and (name := _missing(expression, given)):
            yield f"expression '{expression}' resulted in error: no such key: {name}"
        elif holds(expression, given) is False:
            made = said(str(one["messageExpression"]), given) if one.get("messageExpression") else None
            yield made or one.get("message") or f"failed expression: {' '.join(expression.split())}"


def _missing(expression: str, given: Mapping[str, Any]) -> str:
    """The field that an expression reads and that the object does not have, whoever applies it: its labels and
    annotations may get more on the way. What is known of others than the object may be less than there is.
    """
    if OF_OTHERS.search(expression):
        return ""
    body = mapping_of(given["object"])
    metadata = {**dict.fromkeys(MARKS, A_MARK), **mapping_of(body.get("metadata"))}
    marked = {**given, "object": {**body, "metadata": metadata}}
    return missing_key(expression, given) if missing_key(expression, marked) else ""


def is_asked(hook: Body, request: Request, bodies: Bodies, definitions: Definitions) -> bool:
    """Whether the conditions of a webhook all hold, as far as that can be told."""
    return not hook.get("matchConditions") or _conditions_hold(hook, _given(request, bodies, definitions))


def _conditions_hold(says: Body, given: Mapping[str, Any]) -> bool:
    conditions = [str(one.get("expression")) for one in rows_of(says.get("matchConditions"))]
    body = mapping_of(given["object"])
    return all(holds(one, given) is True and not is_open(one, body) for one in conditions)


def _given(request: Request, bodies: Bodies, definitions: Definitions) -> dict[str, Any]:
    definition = definitions.get(kind_named(request.after))
    schema = None if definition is None else schema_of(definition, kind_version(request.after))

    def shown(body: Body | None) -> Any:
        if body is None:
            return None
        if schema is None:
            return _spelled(filled_in(body))
        whole = filled(body, schema)
        return {**seen(whole, schema), **_spelled({one: whole.get(one) for one in ("apiVersion", "kind", "metadata")})}

    key, version = request.key, kind_version(request.after)
    metadata = dict(mapping_of(request.after.get("metadata"))) | ({"namespace": key.namespace} if key.namespace else {})
    space = bodies.get(ResourceId(f"Namespace/{key.namespace}"))
    return {
        "object": None if request.deletes else shown({**request.after, "metadata": metadata}),
        "oldObject": shown(request.before),
        "request": {
            "operation": request.operation,
            "name": key.name,
            "namespace": key.namespace,
            "__namespace__": key.namespace,
            "kind": {"group": key.group, "version": version, "kind": key.kind},
            "resource": {"group": key.group, "version": version, "resource": request.served.plural},
        },
        "namespaceObject": None if space is None else _spelled(space),
        "variables": {},
    }


def _spelled(value: Any) -> Any:
    """Under the names that CEL can spell, too."""
    if isinstance(value, Mapping):
        made = {str(name): _spelled(one) for name, one in value.items() if one is not None}
        return {**made, "__namespace__": made["namespace"]} if "namespace" in made else made
    return [_spelled(one) for one in value] if isinstance(value, list) else value
