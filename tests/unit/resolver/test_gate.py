"""What the gate answers an API server: of a site that is known, that is not, and of what has been decided already."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from schemas.events import BlindKind, Heartbeat, ResourceEvent
from schemas.identity import KindId, SiteName
from schemas.queries import ResyncAnswer
from schemas.relations.extract import Extractor, with_packs
from schemas.relations.surface import builtin_surface
from schemas.verdicts import Action, Step, Verdict
from services.chassis.kubernetes.declaration import MANAGER
from services.resolver import hearing
from services.resolver.gate import Denies, Gate, Said
from services.resolver.judge.case import Case, Change
from services.resolver.judge.policy import Policy
from services.resolver.machine import Machine
from services.resolver.reviews import BadReviewError
from services.resolver.signals import BatchSeen, BeatSeen, Moment, ResyncAnswered
from services.watcher.telling.batching import Batcher
from tests.kit.manifests import (
    Manifest,
    deployment,
    mounts_secret,
    namespace,
    pod,
    reads_secret,
    secret,
    service,
    thing,
    workload,
)
from tests.unit.resolver.naive_cluster import CATALOGUE, EXTRACTOR
from tests.unit.resolver.sketches import LYON, NOW

SURFACE = tuple(builtin_surface().served.values())
PERSON = "anna"


class Site:
    """A resolver that was told what there is, and its gate."""

    def __init__(self, *objects: Manifest, denies: Denies = "breaking", blind: tuple[str, ...] = ()) -> None:
        self.machine = Machine(LYON, CATALOGUE, Policy(), "resolver/test")
        self.gate = Gate(self.machine.desk, denies)
        self.moment = Moment(1_000.0, NOW)
        self.batcher = Batcher(LYON, 1)
        self.machine.step(ResyncAnswered(ResyncAnswer(site=LYON, epoch=1, seq=0, differing=0)), self.moment)
        self.tell(ResourceEvent("surface", surface=SURFACE))
        self.tell(*(ResourceEvent("put", EXTRACTOR.state(one)) for one in objects))
        self.tell(*(ResourceEvent("sync_same", kind=one.kind) for one in SURFACE if one.watched))
        unseen = {KindId(one): BlindKind("forbidden", 1.0) for one in blind}
        beat = Heartbeat("heartbeat/v1", LYON, 1, self.machine.evidence.seq, len(SURFACE), unseen, at_s=1.0)
        self.machine.step(BeatSeen(beat), self.moment)

    def tell(self, *events: ResourceEvent) -> None:
        for event in events:
            self.batcher.add(event)
        while (batch := self.batcher.take()) is not None:
            self.machine.step(BatchSeen(batch.payload), self.moment)
            self.batcher.acknowledge(batch)

    def later(self, seconds: float) -> None:
        self.moment = Moment(self.moment.monotonic_s + seconds, NOW)

    def ask(
        self, operation: str, body: Manifest, before: Manifest | None = None, user: str = PERSON, **more: Any
    ) -> Said:
        payload = review(operation, body, before, user, **more)
        answer, _, said = self.gate.answer(payload, self.moment)
        response = json.loads(answer)["response"]
        assert (response["uid"], response["allowed"]) == ("u-1", said.allowed)
        assert response.get("warnings", []) == [*said.warnings]
        assert ("status" in response) != said.allowed
        return said

    def delete(self, body: Manifest, **more: Any) -> Said:
        return self.ask("DELETE", body, **more)


def review(operation: str, body: Manifest, before: Manifest | None, user: str, **more: Any) -> bytes:
    group, _, version = body["apiVersion"].rpartition("/")
    deletes = operation == "DELETE"
    request = {
        "uid": "u-1",
        "kind": {"group": group, "version": version, "kind": body["kind"]},
        "name": "" if deletes else body["metadata"]["name"],  # as of each object of a collection
        "namespace": body["metadata"].get("namespace", ""),
        "operation": operation,
        "userInfo": {"username": user},
        "object": None if deletes else body,
        "oldObject": body if deletes else before,
        **more,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def labelled(body: Manifest, **labels: str) -> Manifest:
    return {
        **body,
        "metadata": {**body["metadata"], "labels": {f"cheops.io/{name}": one for name, one in labels.items()}},
    }


def annotated(body: Manifest, **annotations: str) -> Manifest:
    named = {f"cheops.io/{name}": one for name, one in annotations.items()}
    return {**body, "metadata": {**body["metadata"], "annotations": named}}


USED = secret("ca")
WEB = deployment("web", mounts_secret("ca"))


def test_what_is_used_is_kept_with_the_words_of_the_verdict_and_with_what_would_help() -> None:
    said = Site(namespace(), USED, WEB).delete(USED)
    first, *lines = said.message.splitlines()
    assert (said.allowed, first) == (False, "delete Secret shop/ca @ lyon: still used by 1 resource")
    assert lines[0] == ("  D310 mounted by Deployment shop/web @ lyon  spec.template.spec.volumes[0].secret.secretName")
    assert any("cheops delete secret/ca -n shop --site lyon --cascade dependents --preview" in one for one in lines)
    assert lines[-1] == "  or do it all the same: annotate it with cheops.io/override=D310"


def test_what_nobody_uses_may_go() -> None:
    assert Site(namespace(), USED).delete(USED) == Said(True)


def test_a_change_that_takes_away_what_others_need_is_refused_and_any_other_is_not() -> None:
    site = Site(namespace(), secret("ca", "crt", "key"), deployment("web", reads_secret("ca", "crt")))
    assert site.ask("UPDATE", secret("ca", "key"), secret("ca", "crt", "key")).message.count("D211") == 2
    assert site.ask("UPDATE", secret("ca", "crt"), secret("ca", "crt", "key")).allowed


def test_what_an_object_lacks_itself_is_said_to_people_and_is_no_reason_to_refuse() -> None:
    site = Site(namespace())
    said = site.ask("CREATE", WEB)
    assert said == Said(True, warnings=("D110 Secret shop/ca is missing, Deployment shop/web needs it",))
    assert site.ask("CREATE", WEB, user="system:serviceaccount:flux-system:kustomize-controller") == Said(True)


def test_what_was_made_a_moment_ago_is_not_missing_though_it_is_not_seen_yet() -> None:
    for denies in ("breaking", "all"):
        site = Site(denies=denies)
        assert site.ask("CREATE", namespace()) == Said(True)
        assert site.ask("CREATE", USED, dryRun=True) == Said(True), "an API server knows whether the namespace is there"
        assert "D110 Secret shop/ca" in str(site.ask("CREATE", WEB)), "it was only tried"
        assert site.ask("CREATE", USED) == Said(True)
        assert site.ask("CREATE", WEB) == Said(True)
        site.later(2.5)
        assert "D110 Secret shop/ca" in str(site.ask("CREATE", WEB)), "it would have been seen"
        assert site.ask("CREATE", USED) == Said(True)
        assert site.delete(USED).allowed
        assert "D110 Secret shop/ca" in str(site.ask("CREATE", WEB)), "it went again"


def test_all_that_is_denied_is_refused_where_that_is_wanted_and_nothing_where_that_is() -> None:
    assert not Site(namespace(), denies="all").ask("CREATE", WEB).allowed
    said = Site(namespace(), USED, WEB, denies="nothing").delete(USED)
    assert (said.allowed, said.warnings) == (True, ("D310 mounted by Deployment shop/web @ lyon",))
    assert said.message.startswith("delete Secret shop/ca @ lyon: still used"), "it is logged that it would be"


def test_that_an_original_has_copies_elsewhere_is_said_and_keeps_what_is_protected() -> None:
    shared = annotated(USED, **{"shared-to": "oslo,nice"})
    said = "F341 Secret shop/ca is shared to oslo, nice: who uses it there only an intent asks (cheops delete)"
    assert Site(namespace(), shared).delete(shared) == Said(True, warnings=(said,))
    kept = {**shared, "metadata": {**shared["metadata"], "labels": {"cheops.io/protected": "true"}}}
    assert said in Site(namespace(), kept).delete(kept).message
    assert Site(namespace(), shared).ask("UPDATE", secret("ca", "other"), shared) == Said(True), "copies follow"
    within = Site(namespace(), shared).delete(namespace())
    assert (within.allowed, within.warnings[-1]) == (True, said), "it goes with its namespace"


def test_copies_and_replicas_at_a_site_that_is_gone_for_good_keep_nothing_and_are_not_said() -> None:
    shared = annotated(USED, **{"shared-to": "oslo,nice"})
    site = Site(namespace(), shared)
    site.machine.desk.neighbours.give_up([SiteName("nice")])
    said = "F341 Secret shop/ca is shared to oslo: who uses it there only an intent asks (cheops delete)"
    assert site.delete(shared) == Said(True, warnings=(said,))
    site.machine.desk.neighbours.give_up([SiteName("oslo")])
    kept = {**shared, "metadata": {**shared["metadata"], "labels": {"cheops.io/protected": "true"}}}
    assert site.delete(kept) == Said(True)


def test_an_intent_is_no_matter_of_the_gate_even_where_all_is_refused() -> None:
    unknown = thing("Gadget", "x", api="example.com/v1")
    assert Site(namespace(), denies="all").ask("CREATE", unknown) == Said(True)


def test_a_version_that_the_server_has_just_raised_is_nobodys_condition() -> None:
    site = Site(namespace(), {**USED, "metadata": {**USED["metadata"], "resourceVersion": "7"}})
    newer = {**secret("ca", "crt", "key"), "metadata": {**USED["metadata"], "resourceVersion": "9", "uid": "another"}}
    assert site.ask("UPDATE", newer, USED) == Said(True)


def test_what_is_made_anew_is_not_held_to_the_one_before_it_that_was_not_seen_to_go() -> None:
    site = Site(namespace(), USED, deployment("web", reads_secret("ca", "crt")))
    anew = secret("ca", "other", uid="another")
    assert site.ask("CREATE", anew) == Said(True, judged=False)
    assert site.ask("UPDATE", anew, anew) == Said(True, judged=False)
    assert "D211" in site.ask("UPDATE", secret("ca", "other"), USED).message


@pytest.mark.parametrize(
    "user",
    [
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:node:n1",
        "system:kube-scheduler",
        "system:cloud-controller-manager",
    ],
)
def test_what_runs_the_cluster_is_never_stopped(user: str) -> None:
    assert Site(namespace(), USED, WEB).delete(USED, user=user) == Said(True, judged=False)


def test_what_was_decided_already_is_let_through() -> None:
    site = Site(namespace(), USED, WEB)
    ours = {"options": {"fieldManager": MANAGER}}
    assert not site.ask("UPDATE", secret("ca", "other"), USED, **ours).judged
    assert not site.ask("UPDATE", secret("ca", "other"), USED, subResource="status").judged
    assert not site.ask("CONNECT", USED).judged
    assert site.delete(USED).judged
    in_flight(site, "delete", USED)
    assert not site.delete(USED).judged


def test_what_an_intent_is_about_to_write_is_kept_from_others_all_the_same() -> None:
    site = Site(namespace(), secret("ca", "crt", "key"), deployment("web", reads_secret("ca", "crt")))
    in_flight(site, "apply", secret("ca", "crt", "key", "more"))
    assert "D311" in site.delete(secret("ca", "crt", "key")).message, "it waits for its turn, and the old one is used"
    assert "D211" in site.ask("UPDATE", secret("ca", "key"), secret("ca", "crt", "key")).message
    assert not site.ask("UPDATE", secret("ca", "key"), options={"fieldManager": MANAGER}).judged


def test_what_is_used_is_kept_while_an_intent_changes_its_user() -> None:
    site = Site(namespace(), USED, WEB)
    in_flight(site, "apply", WEB)
    said = site.delete(USED)
    assert "F510 intent i changes Deployment shop/web @ lyon, or what it could use instead" in said.message
    assert said.message.endswith("or do it all the same: annotate it with cheops.io/override=F510")
    assert site.delete(labelled(annotated(USED, override="F510"), protected="true")).allowed


def test_what_an_intent_is_about_to_make_keeps_what_it_will_use() -> None:
    site = Site(namespace(), USED)
    in_flight(site, "create", WEB)
    assert "F510 intent i changes Deployment shop/web" in site.delete(USED).message
    ahead = Site(namespace(), secret("ca", "crt", "key"))
    in_flight(ahead, "create", deployment("web", reads_secret("ca", "crt")))
    assert not ahead.ask("UPDATE", secret("ca", "key"), secret("ca", "crt", "key")).allowed


def test_who_is_about_to_go_by_an_intent_uses_nothing_any_more() -> None:
    site = Site(namespace(), USED, WEB)
    in_flight(site, "delete", WEB)
    assert site.delete(USED).allowed


def in_flight(site: Site, action: Action, written: Manifest) -> None:
    """An intent was allowed that does this, and has not begun."""
    after = EXTRACTOR.state(written)
    verdict = Verdict(
        intent="i",
        decision="allow",
        verb="apply",
        site=LYON,
        summary="",
        decided_at=NOW,
        decided_by="",
        valid_until=NOW,
        plan=(Step(id="s", site=LYON, action=action, resource=after.resource),),
    )
    site.machine.holds.add(verdict, [Change(after.resource, action, after=after)], 0.0)


def test_what_is_being_deleted_is_helped_to_its_end() -> None:
    ending = {**USED, "metadata": {**USED["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    site = Site(namespace(), ending, WEB)
    assert not site.ask("UPDATE", USED, ending).judged
    gone = namespace("shop", ending=True)
    assert not Site(gone, USED, WEB).delete(USED).judged, "its namespace goes"
    assert not Site(gone, USED, WEB).ask("UPDATE", secret("ca", "other"), USED).judged


def test_who_goes_with_an_owner_that_is_gone_uses_nothing_any_more() -> None:
    replicas = workload("ReplicaSet", "web-1", mounts_secret("ca"), owners=(WEB,))
    mounting = pod("web-1-x", mounts_secret("ca"), owners=(replicas,))
    assert not Site(namespace(), USED, WEB, replicas, mounting).delete(USED).allowed
    assert Site(namespace(), USED, replicas, mounting).delete(USED).allowed
    assert not Site(namespace(), USED, workload("ReplicaSet", "web-1", mounts_secret("ca"))).delete(USED).allowed
    unseen = Site(namespace(), USED, replicas, mounting, blind=("apps/Deployment",))
    assert not unseen.delete(USED).allowed, "nobody knows that its owner is gone"


def test_who_was_let_go_a_moment_ago_uses_nothing_any_more() -> None:
    site = Site(namespace(), USED, WEB)
    assert site.delete(WEB, dryRun=True).allowed
    assert not site.delete(USED).allowed, "it was only tried"
    assert site.delete(WEB).allowed
    assert site.delete(USED, dryRun=True).allowed
    site.later(2.5)
    site.machine.step(BeatSeen(Heartbeat("heartbeat/v1", LYON, 1, site.machine.evidence.seq, 1, at_s=3.5)), site.moment)
    assert not site.delete(USED).allowed, "it is still there: somebody kept it"


def test_what_is_in_a_namespace_that_was_let_go_a_moment_ago_goes_with_it() -> None:
    """As `kubectl delete -f` names one object after the other, the namespace first."""
    site = Site(namespace(), USED, WEB, namespace("far"), secret("own", namespace="far"))
    assert site.delete(namespace(), dryRun=True).allowed
    assert not site.delete(USED).allowed, "it was only tried"
    assert site.delete(namespace()).allowed
    assert site.delete(USED) == Said(True, judged=False)
    assert site.delete(secret("own", namespace="far")).judged
    site.later(2.5)
    assert not site.delete(USED).allowed, "it is still there: somebody kept it"


def test_what_is_changed_is_not_kept_for_who_goes_either() -> None:
    keys, other = secret("ca", "crt", "key"), secret("ca", "key")
    reader, web, held = deployment("reader", reads_secret("ca", "crt")), deployment("web"), service("web", "web")
    to_zero = {**web, "spec": {**web["spec"], "replicas": 0}}
    site = Site(namespace(), keys, reader, web, held)
    for before, after, user, code in ((keys, other, reader, "D211"), (web, to_zero, held, "D210")):
        assert code in site.ask("UPDATE", after, before).message
        assert site.delete(user).allowed
        assert site.ask("UPDATE", after, before) == Said(True), "it was let go a moment ago"
    ending = service("web", "web", ending=True, finalizers=("service.kubernetes.io/load-balancer-cleanup",))
    assert Site(namespace(), web, ending).ask("UPDATE", to_zero, web) == Said(True)


def test_who_was_let_go_and_made_anew_uses_it_again() -> None:
    site = Site(namespace(), USED, WEB)
    assert site.delete(WEB).allowed
    assert site.delete(USED, dryRun=True).allowed
    anew = {**WEB, "metadata": {**WEB["metadata"], "uid": "another"}}
    site.tell(ResourceEvent("put", EXTRACTOR.state(anew)))
    assert not site.delete(USED).allowed


@pytest.mark.parametrize("options", [{"propagationPolicy": "Orphan"}, {"orphanDependents": True}])
def test_what_leaves_its_pods_behind_takes_nothing_from_who_selects_them(options: Manifest) -> None:
    web, held = deployment("web"), service("web", "web")
    replicas = workload("ReplicaSet", "web-1", {}, app="web", owners=(web,))
    running = pod("web-1-a", owners=(replicas,))
    mounted = workload("StatefulSet", "db", {}, app="db")
    site = Site(namespace(), web, replicas, running, held, mounted, service("db", "db"))
    assert "D310 selected by Service shop/web" in site.delete(web).message
    assert site.delete(web, options=options).allowed
    assert "D310 selected by Service shop/db" in site.delete(mounted, options=options).message, "no pod of it stays"


def test_what_leaves_what_it_owns_behind_is_kept_from_those_who_name_it_and_not_from_those_who_name_that() -> None:
    web = deployment("web")
    owned = secret("made", owners=(web,))
    scaled = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    scaler = thing("HorizontalPodAutoscaler", "web", api="autoscaling/v2", spec=scaled)
    site = Site(namespace(), web, owned, deployment("other", mounts_secret("made")), scaler)
    assert "D313" in site.delete(web).message
    said = site.delete(web, options={"propagationPolicy": "Orphan"})
    assert (said.message.count("\n  D310"), "HorizontalPodAutoscaler shop/web" in said.message) == (1, True)
    assert "D313" not in said.message


def test_what_owns_nothing_leaves_nothing_behind_and_what_lives_in_a_namespace_goes_whatever_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    orphan, known = {"propagationPolicy": "Orphan"}, with_packs(builtin_surface(), CATALOGUE)
    monkeypatch.setattr(sys.modules[__name__], "SURFACE", tuple(known.served.values()))
    monkeypatch.setattr(sys.modules[__name__], "EXTRACTOR", Extractor(CATALOGUE, known))
    rule = {"host": "web", "subsets": [{"name": "v1", "labels": {"app": "web"}}]}
    subset = {"destination": {"host": "web", "subset": "v1"}}
    istio = "networking.istio.io/v1"
    defines = thing("DestinationRule", "d", api=istio, spec=rule)
    routes = thing("VirtualService", "v", api=istio, spec={"hosts": ["web"], "http": [{"route": [subset]}]})
    web = (service("web", "web"), pod("web-1", app="web"))
    said = Site(namespace(), *web, defines, routes).delete(defines, options=orphan)
    assert not said.allowed
    assert "D310" in said.message
    called = {"service": {"name": "web", "namespace": "shop"}}
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "v", "uid": "v"},
        "webhooks": [{"name": "a.example.org", "clientConfig": called, "failurePolicy": "Fail"}],
    }
    said = Site(namespace(), *web, hook).delete(namespace(), options=orphan)
    assert not said.allowed
    assert "D313" in said.message


def test_a_drained_node_goes_with_the_pods_that_were_made_for_it() -> None:
    """kubectl drain leaves those of a DaemonSet where they are."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "rack-1", "uid": "n"}}
    agents = workload("DaemonSet", "agent", {}, api="apps/v1")
    agent = pod("agent-1", {"nodeName": "rack-1"}, app="agent", owners=(agents,))
    assert Site(namespace(), node, agents, agent).delete(node).allowed
    said = Site(namespace(), node, agents, agent, pod("web-1", {"nodeName": "rack-1"})).delete(node)
    assert (said.message.count("\n  D310"), "Pod shop/web-1" in said.message) == (1, True)


def test_a_person_may_say_that_a_reason_does_not_count() -> None:
    site = Site(namespace(), USED, WEB)
    said = site.delete(annotated(USED, override="D311, D310"))
    assert said == Said(True, warnings=("D310 mounted by Deployment shop/web @ lyon",), overridden=("D310",))
    assert not site.delete(annotated(USED, override="D311")).allowed


def test_what_is_not_known_is_let_through_unless_it_is_protected() -> None:
    site = Site(namespace(), USED)
    site.later(60.0)
    open_ = site.delete(USED)
    assert open_.allowed
    assert [one[:4] for one in open_.warnings] == ["F502"]
    protected = labelled(USED, protected="true")
    closed = site.delete(protected)
    assert not closed.allowed
    assert "F502" in closed.message
    assert "override" not in closed.message, "that would not help"
    assert site.delete(labelled(USED, protected="false")).allowed


def test_what_the_resolver_breaks_over_is_not_known_either(monkeypatch: pytest.MonkeyPatch) -> None:
    decides = hearing.decide

    def breaks(case: Case, *rest: Any) -> Verdict:
        if not case.problems:
            raise KeyError("a value")
        return decides(case, *rest)

    monkeypatch.setattr(hearing, "decide", breaks)
    site = Site(namespace(), USED)
    kept = labelled(USED, protected="true")
    for denies in ("breaking", "all"):
        site.gate = Gate(site.machine.desk, denies)
        said = site.ask("UPDATE", USED, USED)
        assert said.allowed
        assert said.warnings[0].startswith("D010 not judged, by a defect of the resolver: KeyError at ")
        refused = site.ask("UPDATE", kept, kept)
        assert not refused.allowed
        assert "D010 not judged, by a defect of the resolver" in refused.message
    assert not site.ask("UPDATE", USED, USED, user="system:serviceaccount:shop:robot").warnings


def test_an_object_without_a_name_and_one_that_no_intent_can_hold_are_let_through() -> None:
    site = Site(namespace())
    nameless = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop"}}
    assert not site.ask("DELETE", nameless).judged
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    said = site.ask("CREATE", {**secret("deep"), "spec": deep})
    assert (said.allowed, said.judged, "nested deeper" in said.warnings[0]) == (True, False, True)


def test_warnings_are_few_and_short() -> None:
    lacking = {"volumes": [{"name": f"v{one}", "secret": {"secretName": f"{'s' * 60}-{one}"}} for one in range(30)]}
    warnings = Site(namespace()).ask("CREATE", deployment("web", lacking)).warnings
    assert (len(warnings), warnings[-1]) == (9, "and 22 more")
    assert max(map(len, warnings)) <= 240


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"apiVersion": "v1", "kind": "Pod"}', b"\xff", b"[" * 10_000])
def test_what_is_no_review_is_said_to_be_none(payload: bytes) -> None:
    with pytest.raises(BadReviewError, match="expected an AdmissionReview"):
        Site().gate.answer(payload, Moment(0.0, NOW))


@given(
    some.sampled_from(["CREATE", "UPDATE", "DELETE", "CONNECT", ""]),
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.text(max_size=5),
        lambda inner: (
            some.lists(inner, max_size=3)
            | some.dictionaries(
                some.sampled_from(["metadata", "name", "labels", "annotations", "spec", "cheops.io/override"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
)
def test_whatever_an_object_looks_like_there_is_an_answer(operation: str, body: Any) -> None:
    request = {"uid": "u", "kind": {"kind": "Secret"}, "operation": operation, "object": body, "oldObject": body}
    whole = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    try:
        answer, *_ = SHARED.gate.answer(json.dumps(whole).encode(), SHARED.moment)
    except BadReviewError:
        assert body is not None
        assert not isinstance(body, dict)
        return
    assert json.loads(answer)["response"]["uid"] == "u"


SHARED = Site(namespace())
