"""Each code as a minimal pair: a case that gives it, and the same case with one detail changed that does not.

A row reads: the code, what is there, what is wanted, the answer; then the changed detail and the other answer. The
answer is the decision and every code of the verdict. Rows of verdicts.md are named where they are not obvious.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from schemas.intents import Intent
from schemas.ties import DECLARED, REPLICA_SET, REPLICAS, with_words
from schemas.verdicts import Evidence
from tests.kit.court import (
    FRESH,
    HOUR,
    NEVER_HEARD,
    NOW,
    STALE,
    Court,
    apply,
    blind,
    codes,
    create,
    delete,
    read,
    update,
)
from tests.kit.manifests import (
    Manifest,
    claim,
    cronjob,
    deployment,
    ingress,
    job,
    mounts_secret,
    namespace,
    pod,
    reads_all_of,
    reads_secret,
    secret,
    service,
    settings,
    storage_class,
    thing,
    workload,
)


@dataclass(frozen=True)
class Side:
    """What is there, what is wanted, and the answer: the decision and its codes."""

    there: list[Manifest]
    act: Intent
    answer: str
    evidence: Evidence = field(default=FRESH)
    unchanged: bool | None = None  # the API server's word on what is written

    def given(self) -> str:
        return " ".join(codes(Court(*self.there, evidence=self.evidence, unchanged=self.unchanged).judge(self.act)))


WEB = deployment("web", mounts_secret("ca"))
READER = deployment("web", reads_secret("ca", "crt"))
CA = secret("ca", "crt", "key")
DROP_CA = delete("secret/ca")
WIDGETS = thing(
    "CustomResourceDefinition",
    "widgets.example.com",
    spec={
        "group": "example.com",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True, "storage": True}],
    },
)
WIDGET = thing("Widget", "one", api="example.com/v1")
STATEFUL = workload("StatefulSet", "db")
STATEFUL["spec"]["serviceName"] = "db"
MOUNTING = workload("StatefulSet", "db", mounts_secret("ca"))
TWIN = thing("Widget", "two", api="example.com/v1")
MADE = workload("ReplicaSet", "web-1", app="web", owners=(deployment("web"),))
OPS = [namespace("ops"), deployment("gate", namespace="ops"), service("gate", "gate", namespace="ops")]


def in_set(manifest: Manifest, stamp: int) -> Manifest:
    """A replica that says when it was declared."""
    return with_words(manifest, {REPLICA_SET: "1"}, {REPLICAS: "lyon,oslo", DECLARED: f"{stamp:016x}.i-{stamp}"})


def hook(failure_policy: str, of: str = "ops") -> Manifest:
    """A webhook that the API server asks through a Service of another namespace."""
    client = {"service": {"namespace": of, "name": "gate", "port": 80}}
    rows = [{"name": "gate.example.com", "failurePolicy": failure_policy, "clientConfig": client}]
    return thing("ValidatingWebhookConfiguration", "gate", webhooks=rows)


ANY_VERB: dict[str, tuple[Side, Side]] = {
    "D001 a kind that the site does not serve": (
        Side([], create(WIDGET), "deny D001"),
        Side([WIDGETS], create(WIDGET), "allow"),
    ),
    "D001 a version that the site does not serve": (
        Side([WIDGETS], create({**WIDGET, "apiVersion": "example.com/v2"}), "deny D001"),
        Side([WIDGETS], create(WIDGET), "allow"),
    ),
    "D010 an object without a name": (
        Side([], create({**CA, "metadata": {"namespace": "shop"}}), "deny D010"),
        Side([], create(CA), "allow"),
    ),
    "D012 an intent whose time is over": (
        Side([CA], delete("secret/ca", created_at=NOW - 2 * HOUR, expires_at=NOW), "deny D012"),
        Side([CA], delete("secret/ca", created_at=NOW, expires_at=NOW + timedelta(seconds=1)), "allow"),
    ),
    "F501 a site that was never heard": (
        Side([CA], DROP_CA, "defer F501", NEVER_HEARD),
        Side([CA], DROP_CA, "allow"),
    ),
    "F502 what is unused needs young evidence": (
        Side([CA], DROP_CA, "defer F502", STALE),
        Side([CA], DROP_CA, "allow"),
    ),
    "F502 what is in use may rest on what is old": (
        Side([CA], DROP_CA, "defer F502", STALE),
        Side([CA, WEB], DROP_CA, "deny D310", STALE),
    ),
    "F503 a kind that could use it is not observed": (
        Side([CA], DROP_CA, "defer F503", blind("apps/Deployment")),
        Side([CA], DROP_CA, "allow", blind("networking.k8s.io/NetworkPolicy")),
    ),
    "F503 a kind that could select its pods is not observed": (
        Side([WEB, CA], delete("deployment/web"), "defer F503", blind("Service")),
        Side([WEB, CA], delete("deployment/web"), "allow", blind("storage.k8s.io/StorageClass")),
    ),
    "F503 a kind of which something is needed is not observed": (
        Side([], create(WEB), "defer F503", blind("Secret")),
        Side([], create(WEB), "deny D110", blind("ConfigMap")),
    ),
    "F503 an update that takes something away needs to know who could miss it": (
        Side([CA], update(secret("ca", "key")), "defer F503", blind("apps/Deployment")),
        Side([CA], update(secret("ca", "crt", "key", "new")), "allow", blind("apps/Deployment")),
    ),
}

WRITING: dict[str, tuple[Side, Side]] = {
    "D101 what is to be created is there": (
        Side([CA], create(CA), "deny D101"),
        Side([], create(CA), "allow"),
    ),
    "N102 with the same content": (
        Side([CA], create(CA), "allow N102", unchanged=True),
        Side([CA], create(CA), "deny D101", unchanged=False),
    ),
    "N102 nothing to apply": (
        Side([CA], apply(CA), "allow N102", unchanged=True),
        Side([CA], apply(CA), "allow", unchanged=False),
    ),
    "N506 what is there was declared later, and differs": (
        Side([in_set(CA, 2)], apply(in_set(CA, 1)), "allow N506", unchanged=False),
        Side([in_set(CA, 2)], apply(in_set(CA, 1)), "allow N102", unchanged=True),
    ),
    "D102 what is to be updated is not there": (
        Side([], update(CA), "deny D102"),
        Side([CA], update(CA), "allow"),
    ),
    "D110 a dependency that is nowhere": (
        Side([], create(WEB), "deny D110"),
        Side([CA], create(WEB), "allow"),
    ),
    "D110 unless the bundle brings it": (
        Side([], create(WEB), "deny D110"),
        Side([], create(WEB, CA), "allow"),
    ),
    "W110 not needed until somebody acts: scaled to zero": (
        Side([], create(deployment("web", mounts_secret(), replicas=0)), "allow W110"),
        Side([], create(deployment("web", mounts_secret(), replicas=1)), "deny D110"),
    ),
    "W110 not needed until somebody acts: suspended": (
        Side([], create(cronjob(mounts_secret(), suspend=True)), "allow W110"),
        Side([], create(cronjob(mounts_secret(), suspend=False)), "deny D110"),
    ),
    "W110 what only pods need is not needed by a StatefulSet of none": (
        Side([], create({**MOUNTING, "spec": {**MOUNTING["spec"], "replicas": 0}}), "allow W110"),
        Side([], create(MOUNTING), "deny D110"),
    ),
    "W110 a selector that matches nothing yet": (
        Side([], create(service("web", "web")), "allow W110"),
        Side([deployment("web")], create(service("web", "web")), "allow"),
    ),
    "W110 a workload scaled to zero is no match": (
        Side([deployment("web", replicas=0)], create(service("web", "web")), "allow W110"),
        Side([deployment("web", replicas=1)], create(service("web", "web")), "allow"),
    ),
    "D111 a dependency that is being deleted": (
        Side([secret("ca", ending=True)], create(WEB), "deny D111"),
        Side([secret("ca", ending=False)], create(WEB), "allow"),
    ),
    "D111 also when the bundle writes what is being deleted": (
        Side([secret("ca", ending=True)], apply(WEB, CA), "deny D111"),
        Side([secret("ca", ending=False)], apply(WEB, CA), "allow"),
    ),
    "D112 a key that is missing": (
        Side([secret("ca", "key")], create(READER), "deny D112"),
        Side([secret("ca", "crt")], create(READER), "allow"),
    ),
    "D112 a port that is missing": (  # and no default IngressClass
        Side([service("web", "web", 80), deployment("web")], create(ingress(port=8080)), "deny D112 W110"),
        Side([service("web", "web", 8080), deployment("web")], create(ingress(port=8080)), "allow W110"),
    ),
    "N120 a dependency that is optional": (
        Side([], create(deployment("web", mounts_secret(optional=True))), "allow N120"),
        Side([], create(deployment("web", mounts_secret(optional=False))), "deny D110"),
    ),
    "D140 a namespace that is nowhere": (
        Side([], create(secret("ca", namespace="new")), "deny D140"),
        Side([namespace("new")], create(secret("ca", namespace="new")), "allow"),
    ),
    "D140 unless the bundle brings it": (
        Side([], create(secret("ca", namespace="new")), "deny D140"),
        Side([], create(secret("ca", namespace="new"), namespace("new")), "allow"),
    ),
    "D141 a namespace that is being deleted": (
        Side([namespace("new", ending=True)], create(secret("ca", namespace="new")), "deny D141"),
        Side([namespace("new")], create(secret("ca", namespace="new")), "allow"),
    ),
    "D141 a namespace whose phase says so": (
        Side([namespace("new", status={"phase": "Terminating"})], create(secret(namespace="new")), "deny D141"),
        Side([namespace("new", status={"phase": "Active"})], create(secret(namespace="new")), "allow"),
    ),
}

TAKING_AWAY: dict[str, tuple[Side, Side]] = {
    "D210 a key that is mounted": (
        Side([CA, deployment("web", mounts_secret("ca", "crt"))], update(secret("ca", "key")), "deny D210"),
        Side([CA, deployment("web", mounts_secret("ca", "key"))], update(secret("ca", "key")), "allow"),
    ),
    "D211 a key that is read at the next start": (
        Side([CA, READER], update(secret("ca", "key")), "deny D211"),
        Side([CA, READER], update(secret("ca", "crt")), "allow"),
    ),
    "D211 judged on the state after the whole bundle": (
        Side([CA, READER], update(secret("ca", "key")), "deny D211"),
        Side([CA, READER], update(secret("ca", "key"), deployment("web", reads_secret("ca", "key"))), "allow"),
    ),
    "D211 a workload that is scaled to zero reads nothing": (
        Side([CA, deployment("web", reads_secret(), replicas=0)], update(secret("ca", "key")), "allow N311"),
        Side([CA, deployment("web", reads_secret(), replicas=1)], update(secret("ca", "key")), "deny D211"),
    ),
    "W210 a key that only a whole-map reader could use": (
        Side(
            [settings("settings", "a", "b"), deployment("web", reads_all_of())],
            update(settings("settings", "a")),
            "allow W210",
        ),
        Side([settings("settings", "a", "b"), deployment("web")], update(settings("settings", "a")), "allow"),
    ),
    "D210 the last match of a selector is labelled otherwise": (
        Side([deployment("web"), service("web")], update(deployment("web", app="other")), "deny D210"),
        Side(
            [deployment("web"), service("web"), deployment("two", app="web")],
            update(deployment("web", app="other")),
            "allow",
        ),
    ),
    "D210 the last match of a selector is scaled to zero": (
        Side([deployment("web"), service("web")], update(deployment("web", replicas=0)), "deny D210"),
        Side([deployment("web"), service("web")], update(deployment("web", replicas=2)), "allow"),
    ),
    "D210 a port that an Ingress serves": (
        Side([deployment("web"), service("web", "web", 80), ingress()], update(service("web", "web", 81)), "deny D210"),
        Side([deployment("web"), service("web", "web", 80), ingress()], update(service("web", "web", 80, 81)), "allow"),
    ),
}

DELETING: dict[str, tuple[Side, Side]] = {
    "N302 what is gone already": (
        Side([], DROP_CA, "allow N302"),
        Side([CA], DROP_CA, "allow"),
    ),
    "D310 what a living workload mounts": (
        Side([CA, WEB], DROP_CA, "deny D310"),
        Side([CA, deployment("web", mounts_secret("other"))], DROP_CA, "allow"),
    ),
    "D310 and then no 311 for the same edge": (
        Side([CA, WEB], DROP_CA, "deny D310"),
        Side([CA, READER], DROP_CA, "deny D311"),
    ),
    "D310 a terminating user is a user until it is gone": (
        Side([CA, deployment("web", mounts_secret(), ending=True)], DROP_CA, "deny D310"),
        Side([CA], DROP_CA, "allow"),
    ),
    "D310 pods outlive the scaling to zero of what made them": (
        Side(
            [
                CA,
                deployment("web", mounts_secret(), replicas=0),
                pod("web-1", mounts_secret(), owners=(deployment("web"),)),
            ],
            DROP_CA,
            "deny D310 N311",
        ),
        Side([CA, deployment("web", mounts_secret(), replicas=0)], DROP_CA, "allow N311"),
    ),
    "D310 a pod that never restarts mounts all the same": (
        Side([CA, pod("once", {**mounts_secret(), "restartPolicy": "Never"})], DROP_CA, "deny D310"),
        Side(
            [CA, pod("once", {**mounts_secret(), "restartPolicy": "Never"}, phase="Succeeded")], DROP_CA, "allow N311"
        ),
    ),
    "D310 the last match of a Service": (
        Side([deployment("web"), service("web")], delete("deployment/web"), "deny D310"),
        Side([deployment("web"), service("web"), deployment("two", app="web")], delete("deployment/web"), "allow"),
    ),
    "D310 another match that is scaled to zero is none": (
        Side(
            [deployment("web"), service("web"), deployment("two", app="web", replicas=0)],
            delete("deployment/web"),
            "deny D310",
        ),
        Side(
            [deployment("web"), service("web"), deployment("two", app="web", replicas=1)],
            delete("deployment/web"),
            "allow",
        ),
    ),
    "D310 another match whose maker is scaled to zero is none": (
        Side(
            [
                deployment("web"),
                service("web"),
                deployment("two", app="web", replicas=0),
                pod("two-1", owners=(deployment("two"),)),
            ],
            delete("deployment/web"),
            "deny D310",
        ),
        Side(
            [
                deployment("web"),
                service("web"),
                deployment("two", app="web", replicas=1),
                pod("two-1", owners=(deployment("two"),)),
            ],
            delete("deployment/web"),
            "allow",
        ),
    ),
    "D310 both matches in one bundle": (
        Side(
            [deployment("web"), service("web"), deployment("two", app="web")],
            delete("deployment/web", "deployment/two"),
            "deny D310",
        ),
        Side(
            [deployment("web"), service("web"), deployment("two", app="web")],
            delete("deployment/web", "deployment/two", "service/web"),
            "allow",
        ),
    ),
    "D311 what is read at the next start": (
        Side([CA, READER], DROP_CA, "deny D311"),
        Side([CA, deployment("web", reads_secret(), replicas=0)], DROP_CA, "allow N311"),
    ),
    "D311 a CronJob needs its volumes only when it runs": (
        Side([CA, cronjob(mounts_secret(), suspend=False)], DROP_CA, "deny D311"),
        Side([CA, cronjob(mounts_secret(), suspend=True)], DROP_CA, "allow N311"),
    ),
    "D311 a bare pod that restarts": (
        Side([CA, pod("bare", reads_secret())], DROP_CA, "deny D311"),
        Side([CA, pod("bare", {**reads_secret(), "restartPolicy": "Never"})], DROP_CA, "allow N311"),
    ),
    "N311 a Job that is finished": (
        Side([CA, job(reads_secret(), completed=True)], DROP_CA, "allow N311"),
        Side([CA, job(reads_secret(), completed=False)], DROP_CA, "deny D311"),
    ),
    "N311 the StorageClass of a bound claim": (
        Side([claim(volume="pv-1"), storage_class()], delete("storageclass/fast"), "allow N311"),
        Side([claim(volume=""), storage_class()], delete("storageclass/fast"), "deny D312"),
    ),
    "W310 an optional user": (
        Side([CA, deployment("web", mounts_secret(optional=True))], DROP_CA, "allow W310"),
        Side([CA, deployment("web", mounts_secret(optional=False))], DROP_CA, "deny D310"),
    ),
    "D313 what goes with a namespace is used from outside": (
        Side([*OPS, hook("Fail")], delete("namespace/ops"), "deny D313"),
        Side([*OPS, hook("Ignore")], delete("namespace/ops"), "allow W310"),
    ),
    "D313 what an owner takes down is used by somebody else": (
        Side([WIDGETS, WIDGET, secret("ca", owners=(WIDGET,)), WEB], delete("widget/one"), "deny D313"),
        Side([WIDGETS, WIDGET, secret("ca"), WEB], delete("widget/one"), "allow"),
    ),
    "D313 unless another owner keeps it": (
        Side([WIDGETS, WIDGET, TWIN, secret("ca", owners=(WIDGET,)), WEB], delete("widget/one"), "deny D313"),
        Side([WIDGETS, WIDGET, TWIN, secret("ca", owners=(WIDGET, TWIN)), WEB], delete("widget/one"), "allow"),
    ),
    "D313 what lives in the namespace goes with it and blocks nothing": (
        Side([*OPS, hook("Fail", of="ops")], delete("namespace/ops"), "deny D313"),
        Side([*OPS, hook("Fail", of="other")], delete("namespace/ops"), "allow"),
    ),
    "W314 more than five go with it": (
        Side([settings(f"s{place}") for place in range(6)], delete("namespace/shop"), "allow W314"),
        Side([settings(f"s{place}") for place in range(5)], delete("namespace/shop"), "allow"),
    ),
    "W320 its owner will make it again": (
        Side([deployment("web"), MADE], delete("replicaset/web-1"), "allow W320"),
        Side([MADE], delete("replicaset/web-1"), "allow"),
    ),
    "W320 the owner of its owner will": (
        Side([deployment("web"), MADE, pod(owners=(MADE,))], delete("pod/web-1"), "allow W320"),
        Side([pod()], delete("pod/web-1"), "allow"),
    ),
    "W320 not when the owner goes, too": (
        Side([deployment("web"), MADE], delete("replicaset/web-1"), "allow W320"),
        Side([deployment("web"), MADE], delete("replicaset/web-1", "deployment/web"), "allow"),
    ),
    "N331 a finalizer holds it": (
        Side([secret(finalizers=("example.com/backup",))], DROP_CA, "allow N331"),
        Side([secret(finalizers=())], DROP_CA, "allow"),
    ),
}

READING: dict[str, tuple[Side, Side]] = {
    "D410 what is not there": (
        Side([], read("secret/ca"), "deny D410"),
        Side([CA], read("secret/ca"), "allow"),
    ),
    "F411 only fresh evidence says that it is not there": (
        Side([], read("secret/ca"), "defer F411 F502", STALE),
        Side([], read("secret/ca"), "deny D410", FRESH),
    ),
    "W412 its dependencies are broken": (
        Side([WEB], read("deployment/web"), "allow W412"),
        Side([WEB, CA], read("deployment/web"), "allow"),
    ),
}

ROWS = {**ANY_VERB, **WRITING, **TAKING_AWAY, **DELETING, **READING}


@pytest.mark.parametrize("row", ROWS)
def test_one_changed_detail_gives_the_other_answer(row: str) -> None:
    case, changed = ROWS[row]
    assert (case.given(), changed.given()) == (case.answer, changed.answer)


@pytest.mark.parametrize("row", ROWS)
def test_the_name_of_a_row_begins_with_a_code_that_one_of_its_answers_has(row: str) -> None:
    assert any(row.split(maxsplit=1)[0] in side.answer.split() for side in ROWS[row])


# ── in flight ───────────────────────────────────────────────────────────────────────────────────────────────────────

FIRST = "i-first"
CONFLICTS: dict[str, tuple[list[Manifest], Intent, Intent]] = {
    "what is being made needs it": ([CA], create(WEB, intent_id=FIRST), DROP_CA),
    "what is being made is not there yet": ([], create(CA, intent_id=FIRST), create(WEB)),
    "what is being deleted serves nobody": ([CA], delete("secret/ca", intent_id=FIRST), create(WEB)),
    "what is being deleted uses it until it is gone": ([CA, WEB], delete("deployment/web", intent_id=FIRST), DROP_CA),
    "what is being changed uses what it used": ([CA, WEB], update(deployment("web"), intent_id=FIRST), DROP_CA),
    "the same is being deleted": ([CA], delete("secret/ca", intent_id=FIRST), DROP_CA),
    "the same is being made": ([], create(CA, intent_id=FIRST), create(CA)),
    "its namespace is being made": (
        [],
        create(namespace("new"), intent_id=FIRST),
        create(secret(namespace="new")),
    ),
    "its namespace is being deleted": (
        [namespace("new")],
        delete("namespace/new", intent_id=FIRST),
        create(secret(namespace="new")),
    ),
    "something is being made in the namespace": (
        [namespace("new")],
        create(secret(namespace="new"), intent_id=FIRST),
        delete("namespace/new"),
    ),
    "what it needs goes with what is being deleted": (
        [WIDGETS, WIDGET, secret("ca", owners=(WIDGET,))],
        delete("widget/one", intent_id=FIRST),
        create(WEB),
    ),
    "the other match of a selector is being made": (
        [deployment("web"), service("web")],
        create(deployment("two", app="web"), intent_id=FIRST),
        delete("deployment/web"),
    ),
    "the other match of a selector is being deleted": (
        [deployment("web"), service("web"), deployment("two", app="web")],
        delete("deployment/two", intent_id=FIRST),
        delete("deployment/web"),
    ),
    "the key is about to be used": ([CA], create(READER, intent_id=FIRST), update(secret("ca", "key"))),
    "the key is about to go": ([CA], update(secret("ca", "key"), intent_id=FIRST), create(READER)),
}


@pytest.mark.parametrize("row", CONFLICTS)
def test_f510_of_two_that_conflict_the_second_waits_for_the_first(row: str) -> None:
    there, first, second = CONFLICTS[row]
    court = Court(*there)
    assert court.judge(second).decision != "defer", "alone it would be decided"
    assert court.hold(first).decision == "allow"
    verdict = court.judge(second)
    assert codes(verdict) == ["defer", "F510"]
    assert {one.intent for one in verdict.waits_for} == {FIRST}


FLUX = "kustomize.toolkit.fluxcd.io"
APPLIED = secret("ca", labels={f"{FLUX}/name": "apps", f"{FLUX}/namespace": "shop"})


@pytest.mark.parametrize(("prunes", "decision"), [(True, "defer"), (False, "allow")])
def test_what_has_applied_something_takes_it_along_while_its_deletion_is_in_flight(prunes: bool, decision: str) -> None:
    names = {"kind": "Kustomization", "plural": "kustomizations"}
    versions = [{"name": "v1", "served": True, "storage": True}]
    spec = {"group": FLUX, "names": names, "scope": "Namespaced", "versions": versions}
    definition = thing("CustomResourceDefinition", f"kustomizations.{FLUX}", spec=spec)
    kustomization = thing("Kustomization", "apps", api=f"{FLUX}/v1", spec={"prune": prunes})
    court = Court(definition, kustomization, APPLIED)
    assert court.hold(delete("kustomization/apps", intent_id=FIRST)).decision == "allow"
    assert court.judge(create(WEB)).decision == decision


def test_what_does_not_conflict_does_not_wait() -> None:
    court = Court(CA, secret("other"))
    court.hold(create(WEB, intent_id=FIRST))
    assert codes(court.judge(delete("secret/other"))) == ["allow"]


# ── plans, evidence, form ───────────────────────────────────────────────────────────────────────────────────────────


def order(intent: Intent, *there: Manifest) -> list[str]:
    verdict = Court(*there).judge(intent)
    assert verdict.decision == "allow", verdict.summary
    place = {step.id: number for number, step in enumerate(verdict.plan)}
    assert all(place[before] < place[step.id] for step in verdict.plan for before in step.after)
    return [step.resource for step in verdict.plan]


def test_a_bundle_is_made_in_the_order_of_its_needs() -> None:
    bundle = create(
        ingress("in", "web", namespace="new"),
        service("web", namespace="new"),
        deployment("web", mounts_secret(), namespace="new"),
        secret("ca", namespace="new"),
        namespace("new"),
    )
    steps = order(bundle)
    assert steps[0] == "Namespace/new"
    assert steps.index("Secret/new/ca") < steps.index("apps/Deployment/new/web")
    assert steps.index("Service/new/web") < steps.index("networking.k8s.io/Ingress/new/in")


def test_users_are_deleted_before_what_they_use() -> None:
    assert order(delete("secret/ca", "deployment/web"), CA, WEB) == ["apps/Deployment/shop/web", "Secret/shop/ca"]


def test_dependents_go_first_when_they_are_to_go_too() -> None:
    assert order(delete("secret/ca", cascade="dependents"), CA, WEB) == ["apps/Deployment/shop/web", "Secret/shop/ca"]


def test_what_goes_with_its_owner_is_no_step_of_its_own() -> None:
    assert order(delete("replicaset/web-1", "deployment/web"), deployment("web"), MADE) == ["apps/Deployment/shop/web"]


def test_a_plan_rests_on_the_object_that_was_judged() -> None:
    (step,) = Court(CA).judge(DROP_CA).plan
    assert (step.preconditions.uid, step.preconditions.absent) == ("Secret-ca", False)
    (step,) = Court().judge(create(CA)).plan
    assert (step.preconditions.uid, step.preconditions.absent) == ("", True)


def test_what_is_known_to_block_is_said_whatever_else_is_unknown() -> None:
    unknown = Court(CA, WEB, evidence=STALE).judge(delete("secret/ca", "secret/none"))
    assert unknown.decision == "deny"


def test_a_defer_says_what_the_last_observation_would_have_said() -> None:
    verdict = Court(evidence=STALE).judge(create(WEB))
    assert verdict.decision == "defer"
    assert any("as last observed, Secret shop/ca is missing" in reason.message for reason in verdict.reasons)


def test_every_user_is_named() -> None:
    verdict = Court(CA, WEB, deployment("two", mounts_secret())).judge(DROP_CA)
    assert [reason.resource for reason in verdict.reasons] == ["apps/Deployment/shop/two", "apps/Deployment/shop/web"]


def test_the_owner_stands_for_what_it_makes() -> None:
    made = workload("ReplicaSet", "web-1", mounts_secret(), owners=(WEB,))
    verdict = Court(CA, WEB, made, pod("web-1-a", mounts_secret(), owners=(made,))).judge(DROP_CA)
    assert [reason.resource for reason in verdict.reasons] == ["apps/Deployment/shop/web"]


def test_the_chain_leads_from_the_target_to_the_one_that_blocks() -> None:
    court = Court(WIDGETS, WIDGET, secret("ca", owners=(WIDGET,)), WEB)
    (reason,) = court.judge(delete("widget/one")).reasons
    assert [(hop.source, hop.target) for hop in reason.chain] == [
        ("Secret/shop/ca", "example.com/Widget/shop/one"),
        ("apps/Deployment/shop/web", "Secret/shop/ca"),
    ]


def test_the_same_case_gives_the_same_bytes() -> None:
    assert Court(CA, WEB).judge(DROP_CA).to_json() == Court(WEB, CA).judge(DROP_CA).to_json()
