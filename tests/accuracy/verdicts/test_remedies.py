"""Remedies are true: with what a remedy changes, the same intent is allowed; and what it changes is all needed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from cheops.offline.check import Act
from schemas.identity import ResourceId, ResourceKey, kind_of
from schemas.relations.ambient import is_ambient
from schemas.verdicts import Remedy, Touch, Verdict
from services.resolver.judge.woken import WAKERS
from tests.accuracy.verdicts.cases import Case, load_cases
from tests.accuracy.verdicts.court import act_of, catalogue, verdict_on

Body = dict[str, Any]
# On old or partial evidence a remedy leads to a defer: what is unknown stays unknown.
DENIED = [case for case in load_cases() if case.expect.decision == "deny" and not case.flaws]


def _typed_here(case: Case, offered: Sequence[Remedy]) -> list[Remedy]:
    """But for those that are typed at another site, about that site."""
    return [one for one in offered if len(case.sites) == 1 or "--scope" in one.command]


@pytest.mark.parametrize("case", DENIED, ids=[case.name for case in DENIED])
def test_with_its_remedy_the_intent_is_allowed_and_nothing_of_the_remedy_can_be_left_out(case: Case) -> None:
    for remedy in _typed_here(case, verdict_on(case).remedies):
        found = _after(case, remedy)
        assert found.decision == "allow", f"{remedy.effect}: {found.summary}"
        assert_nothing_can_be_left_out(case, remedy)


def _after(case: Case, remedy: Remedy) -> Verdict:
    """The verdict on the same intent when that was done."""
    words = shlex.split(remedy.command)
    assert words[:2] == ["cheops", words[1]]
    act = act_of(case)
    if "--scope" in words:
        return verdict_on(case, act, scope=words[words.index("--scope") + 1])
    if "--cascade" in words:
        found = verdict_on(case, replace(act, cascade="dependents"))
        assert {step.resource for step in found.plan} >= {one.resource for one in remedy.changes}
        return found
    if words[1] == "delete":
        assert verdict_on(case, Act(verb="delete", resources=tuple(one.resource for one in remedy.changes))).decision
        return verdict_on(case, act, _site_without(case, remedy.changes))
    if "DEFINITION.yaml" in words:
        return verdict_on(case, replace(act, manifests=(*act.manifests, *map(_definition, act.manifests))))
    if words[1] == "apply" and not remedy.changes:
        return verdict_on(case, replace(act, verb="apply"))
    return _with_changes(case, act, remedy.changes, together="-f" in words and words.count("-f") > 1)


def assert_nothing_can_be_left_out(case: Case, remedy: Remedy) -> None:
    """Each direct blocker blocks alone, so a smallest set is exactly what blocks (or what a cascade must take)."""
    for left_out in remedy.changes if len(remedy.changes) > 1 else ():
        rest = tuple(one for one in remedy.changes if one != left_out)
        if "--cascade" in remedy.command:
            if any(kind_of(one.resource) in WAKERS for one in rest):
                continue  # at zero, and without who starts it, it needs nothing
            gone = (*act_of(case).resources, *(one.resource for one in rest))
            found = verdict_on(case, replace(act_of(case), resources=gone))
        elif remedy.command.startswith("cheops delete"):
            continue
        else:
            found = _with_changes(case, act_of(case), rest, together=remedy.command.count(" -f ") > 1)
        assert found.decision != "allow", f"{remedy.effect}: without {left_out.resource}"


def test_most_denials_offer_a_way_out() -> None:
    offered = [(case, verdict_on(case).remedies) for case in DENIED]
    dumb = [case for case, remedies in offered if not remedies]
    dumb = [case for case in dumb if not any("referencegrant" in one for one in case.act.get("delete", ()))]
    without = sorted({code for case in dumb for code in case.expect.codes})
    # None for wrong intents, cycles and scopes, for what is on its way out, for quotas, for reads, for a listener or a
    # version that users need, for whom a listener admits, for what a volume or a kind is for good, and
    # for the ReferenceGrant of a living route.
    allowed = {"D001", "D010", "D111", "D112", "D114", "D130", "D141", "D142", "D150", "D210", "D220", "D330", "D410"}
    allowed |= {"D600", "D601", "D610", "D620"}
    assert set(without) <= allowed, without
    assert sum(len(_typed_here(case, remedies)) for case, remedies in offered) > 40


@pytest.mark.parametrize(
    ("name", "effects"),
    [
        ("a kind that nobody serves", ["bring along what defines example.org/Widget: its CustomResourceDefinition"]),
        ("a version that the definition does not serve", []),
        ("a removed version of a built-in kind", []),
    ],
)
def test_a_custom_kind_that_is_not_served_is_offered_with_its_definition_a_wrong_version_is_not(
    name: str, effects: list[str]
) -> None:
    case = next(one for one in DENIED if one.name == name)
    assert [one.effect for one in verdict_on(case).remedies] == effects


def _site_without(case: Case, changes: tuple[Touch, ...]) -> list[Body]:
    gone = {one.resource for one in changes}
    spaces = {ResourceKey.parse(one).namespace for one in gone} - {""}
    return [
        *(body for body in _bodies(case) if _id(body) not in gone),
        *(_stub(ResourceId(f"Namespace/{name}"), "") for name in spaces),
    ]


def _with_changes(case: Case, act: Act, changes: tuple[Touch, ...], together: bool) -> Verdict:
    """Everything that a remedy asks for, in the same bundle or before it."""
    held = {_id(body): body for body in map(deepcopy, (*_bodies(case), *act.manifests))}
    for touch in changes:
        if touch.how == "add" and is_ambient(touch.resource):
            held.setdefault(touch.resource, _stub(touch.resource, ""))
        held_body = held.get(touch.resource)
        if touch.how == "create":
            body = held.setdefault(touch.resource, _stub(touch.resource, ""))
            if touch.part:
                _add(body, touch.part)
        elif touch.how == "permit":
            return verdict_on(case, act, [*_bodies(case), _grant(touch.resource, act)])
        elif held_body is not None and touch.how == "add":
            _add(held_body, touch.part)
        elif held_body is not None and touch.how == "release":
            _release(held_body, touch.path)
    touched = [held[one] for one in dict.fromkeys(one.resource for one in changes if one.how != "permit")]
    own = {_id(body): body for body in act.manifests}
    if together or {_id(body) for body in touched} <= own.keys():
        bundle = (*(held[one] for one in own), *(body for body in touched if _id(body) not in own))
        return verdict_on(case, replace(act, manifests=bundle, verb=None if act.verb != "create" else "apply"))
    let_go = tuple(held[one.resource] for one in changes if one.how == "release")
    of_its_own = verdict_on(case, Act(verb="update", manifests=let_go)).reasons if let_go else ()
    assert "D220" not in {one.code for one in of_its_own}, "what is to be let go of never changes"
    rest = {_id(body): body for body in _bodies(case)} | {_id(body): body for body in touched}
    return verdict_on(case, act, list(rest.values()))


def _bodies(case: Case) -> list[Body]:
    return [one.body for one in next(iter(case.sites.values()))]


def _id(body: Body) -> ResourceId:
    group = body["apiVersion"].rpartition("/")[0]
    metadata = body["metadata"]
    return ResourceKey(group, body["kind"], metadata.get("namespace", ""), metadata["name"]).id


def _definition(body: Body) -> Body:
    """What serves a custom kind, as somebody would have it in a file beside."""
    (group, version), kind = body["apiVersion"].split("/"), body["kind"]
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    spec = {
        "group": group,
        "scope": "Namespaced" if body["metadata"].get("namespace") else "Cluster",
        "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
        "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
    }
    metadata = {"name": f"{plural}.{group}"}
    kind_of_definitions = "CustomResourceDefinition"
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": kind_of_definitions, "metadata": metadata, "spec": spec}


def _stub(resource: ResourceId, part: str) -> Body:
    """Just enough of what is missing; the part that is needed is in it."""
    key = ResourceKey.parse(resource)
    versions = {"autoscaling": "v2", "policy": "v1", "kafka.strimzi.io": "v1beta2", "kueue.x-k8s.io": "v1beta1"}
    versions |= {"instancetype.kubevirt.io": "v1beta1", "scheduling.volcano.sh": "v1beta1", "rabbitmq.com": "v1beta1"}
    versions |= {"redis.redis.opstreelabs.in": "v1beta2", "flagger.app": "v1beta1", "argoproj.io": "v1alpha1"}
    versions |= {"projectcontour.io": "v1alpha1"}
    version = versions.get(key.group, "v1")
    metadata = {"name": key.name, **({"namespace": key.namespace} if key.namespace else {})}
    api = f"{key.group}/{version}" if key.group else version
    body: Body = {"apiVersion": api, "kind": key.kind, "metadata": metadata}
    if part:
        _add(body, part)
    return body


# Of who makes a Secret: a key more in it.
KEYS_IN: dict[str, Callable[[Body, str], object]] = {
    "SealedSecret": lambda spec, name: spec["encryptedData"].update({name: "AgB"}),
    "Certificate": lambda spec, name: spec["keystores"].update({name.rpartition(".")[2]: {"create": True}}),
    "ExternalSecret": lambda spec, name: (
        spec["data"].append({"secretKey": name, "remoteRef": {"key": name}}),
        spec.get("target", {}).pop("template", None),
    ),
    "Bundle": lambda spec, name: spec["target"]["configMap"].update({"key": name}),
    "SecretProviderClass": lambda spec, name: spec["secretObjects"][0]["data"].append(
        {"key": name, "objectName": name}
    ),
}


def _add(body: Body, part: str) -> None:
    sort, _, name = part.partition(":")
    if body["kind"] in KEYS_IN:
        KEYS_IN[body["kind"]](body["spec"], name)
        return
    spec = body.setdefault("spec", {}) if sort not in ("key", "text") else {}
    if sort in ("key", "text"):
        body.setdefault("data", {})[name] = "eA=="
        body.get("binaryData", {}).pop(name, None)
    elif sort == "subset":
        spec.setdefault("host", body["metadata"]["name"])
        spec["subsets"] = [*spec.get("subsets", ()), {"name": name}]
    elif sort == "port" and body["kind"] == "Gateway":
        spec["listeners"] = [*spec.get("listeners", ()), {"name": "added", "port": int(name), "protocol": "HTTP"}]
    elif sort == "port":
        port = {"name": f"p{name}", "port": int(name)} if name.isdecimal() else {"name": name, "port": 8088}
        before = [{"name": f"p{one['port']}", **one} for one in spec.get("ports", ())]  # of several, each has a name
        spec["ports"] = [*before, port]
    elif sort == "claim":
        namespace, _, claim = name.partition("/")
        spec["claimRef"] = {"namespace": namespace, "name": claim}
    elif sort == "size":
        spec["capacity"] = {"storage": name}
    elif sort == "class":
        spec["storageClassName"] = name
    elif sort == "mode":
        spec["accessModes"] = [*spec["accessModes"], name]
    elif sort == "version":
        plural, _, group = body["metadata"]["name"].partition(".")
        spec |= {"group": group, "names": {"plural": plural, "kind": "Widget"}, "scope": "Namespaced"}
        schema = {"openAPIV3Schema": {"type": "object"}}
        spec["versions"] = [{"name": name, "served": True, "storage": True, "schema": schema}]
    else:
        spec["listeners"] = [*spec.get("listeners", ()), {"name": name, "port": 8088, "protocol": "HTTP"}]


def _release(body: Body, path: str) -> None:
    """Take the whole entry out in which the reference stands: the volume, the variable."""
    steps = [step for part in path.replace("]", "").split(".") for step in part.split("[")]
    place = max((number for number, step in enumerate(steps) if step.isdecimal()), default=len(steps) - 1)
    value: Any = body
    for step in steps[:place]:
        value = value[int(step)] if step.isdecimal() else value[step]
    last = steps[place]
    gone = value.pop(int(last) if last.isdecimal() else last)
    if steps[place - 1] == "volumes":
        _unmount(body, gone["name"])


def _unmount(value: Any, volume: str) -> None:
    """What mounts a volume lets go of it, too."""
    if isinstance(value, dict) and "volumeMounts" in value:
        value["volumeMounts"] = [one for one in value["volumeMounts"] if one["name"] != volume]
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _unmount(below, volume)


def _grant(target: ResourceId, act: Act) -> Body:
    key = ResourceKey.parse(target)
    rows = [ResourceKey.parse(_id(body)) for body in act.manifests]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "ReferenceGrant",
        "metadata": {"name": "granted", "namespace": key.namespace},
        "spec": {
            "from": [{"group": one.group, "kind": one.kind, "namespace": one.namespace} for one in rows],
            "to": [{"group": key.group, "kind": key.kind}],
        },
    }


def test_the_catalogue_is_the_shipped_one() -> None:
    assert catalogue().files
