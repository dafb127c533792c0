"""One try at a time against an API server: what is written, what is refused, and what a later try finds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.events import ResourceState
from schemas.identity import ResourceId
from schemas.kinds import Surface
from schemas.rehearsals import RehearsedChange
from schemas.verdicts import Action
from services.chassis.errors import TransientError
from services.chassis.kubernetes.connection import connect
from services.executor.kubernetes.adapter import KubernetesTarget
from services.executor.kubernetes.client import KubernetesClient
from services.executor.kubernetes.manifests import MARKER, Object
from services.executor.target import Effect, ExpiredError, RefusedError
from tests.flow.executor_engines import Engine, engine, real_kubeconfig
from tests.flow.executor_proxy import FaultyProxy, afterwards, lose_answer, lose_request, meanwhile, pass_on, refuse
from tests.kit.manifests import definition
from tests.unit.executor.builders import config_map, deployment, operation, resource_of, secret, version_of

__all__ = ["engine", "real_kubeconfig"]


class FreePermit:
    """A permit that is given; `open` and `basis` can be set as an earlier try would have left them."""

    def __init__(self, *, open: bool = False, basis: str = "", expired: bool = False) -> None:
        self.open, self.basis, self._expired = open, basis, expired

    async def keep(self, live: Object | None) -> None:
        """Nobody asks for it here."""

    def take(self, basis: str) -> None:
        if self._expired:
            raise ExpiredError("over")
        self.open, self.basis = True, basis

    def settle(self) -> None:
        self.open, self.basis = False, ""

    clear = settle


class KeysOnly:
    """Enough of a shape to see that no value travels."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface

    def state(self, manifest: Object) -> ResourceState:
        return ResourceState(
            ResourceId(resource_of(manifest)), parts={"key": tuple(sorted(manifest.get("data") or {}))}
        )


def change(manifest: dict[str, Any], action: Action = "apply") -> RehearsedChange:
    resource = ResourceId(resource_of(manifest))
    return RehearsedChange(action=action, resource=resource, version=version_of(manifest), manifest=manifest)


@pytest.fixture
async def proxy(engine: Engine, tmp_path: Path) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(engine.kubeconfig, tmp_path / "proxied") as made:
        yield made


@pytest.fixture
async def target(proxy: FaultyProxy) -> AsyncIterator[KubernetesTarget]:
    made = KubernetesTarget(KubernetesClient(await connect(proxy.kubeconfig)), KeysOnly)
    yield made
    await made.close()


# ── create, update, apply ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_creation_is_marked_and_a_second_try_finds_it(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    first = await target.apply(wanted, FreePermit())
    again = await target.apply(wanted, FreePermit())
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert (first.state, first.changed, first.uid) == ("ready", True, live["metadata"]["uid"])
    assert again == first
    assert proxy.applied == 1
    assert live["metadata"]["annotations"] == {MARKER: wanted.id}
    assert live["data"] == {"colour": "blue"}


async def test_what_servers_set_is_not_sent_back_to_them(engine: Engine, target: KubernetesTarget) -> None:
    manifest = config_map(engine.namespace)
    manifest["metadata"] |= {"uid": "1-2-3", "resourceVersion": "77", "managedFields": [{}], "generation": 4}
    manifest["status"] = {}
    assert (await target.apply(operation("apply", manifest), FreePermit())).state == "ready"


async def test_a_creation_conflicts_with_what_is_there_already(engine: Engine, target: KubernetesTarget) -> None:
    await engine.write("configmaps", config_map(engine.namespace, colour="red"))
    effect = await target.apply(operation("create", config_map(engine.namespace), absent=True), FreePermit())
    live = await engine.get("configmaps", "settings")
    assert effect.state == "conflict"
    assert "exists meanwhile" in effect.message
    assert live is not None
    assert live["data"] == {"colour": "red"}


async def test_a_creation_that_loses_a_race_writes_nothing(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    wanted = operation("create", config_map(engine.namespace), absent=True)
    other = config_map(engine.namespace, colour="red")
    proxy.scripts.append(meanwhile(lambda: engine.write("configmaps", other)))
    permit = FreePermit()
    assert (await target.apply(wanted, permit)).state == "conflict"
    assert not permit.open
    assert proxy.applied == 0
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert live["data"] == {"colour": "red"}
    assert MARKER not in live["metadata"].get("annotations", {})


async def test_what_is_to_be_made_anew_takes_one_request(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    """The write is conditional on nothing being there: a look and a dry run before it could not say more."""
    await target.apply(operation("create", config_map(engine.namespace, "first"), absent=True), FreePermit())
    proxy.seen.clear()
    await target.apply(operation("create", config_map(engine.namespace), absent=True), FreePermit())
    assert [one.method for one in proxy.seen] == ["PATCH"]


async def test_an_apply_that_loses_a_race_goes_on_from_the_new_state(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    wanted = operation("apply", config_map(engine.namespace, colour="green"), step="s2")
    other = config_map(engine.namespace, size="large")
    proxy.scripts.append(meanwhile(lambda: engine.write("configmaps", other)))
    with pytest.raises(TransientError, match="somebody else was faster"):
        await target.apply(wanted, FreePermit())
    assert (await target.apply(wanted, FreePermit())).state == "ready"
    live = await engine.get("configmaps", "settings")
    assert live is not None
    assert live["data"] == {"colour": "green", "size": "large"}


async def test_an_update_needs_exactly_the_object_of_its_verdict(engine: Engine, target: KubernetesTarget) -> None:
    manifest = config_map(engine.namespace, colour="green")
    gone = await target.apply(operation("update", manifest), FreePermit())
    live = await engine.write("configmaps", config_map(engine.namespace))
    uid, version = live["metadata"]["uid"], live["metadata"]["resourceVersion"]
    anew = await target.apply(operation("update", manifest, uid="a-former-uid"), FreePermit())
    old = await target.apply(operation("update", manifest, uid=uid, resource_version="1"), FreePermit())
    assert (gone.state, anew.state, old.state) == ("conflict", "conflict", "conflict")
    assert "not there any more" in gone.message
    assert "made anew" in anew.message
    assert "was changed" in old.message
    after = await engine.get("configmaps", "settings")
    assert after is not None
    assert after["metadata"]["resourceVersion"] == version


async def test_another_managers_field_is_never_taken_and_the_answer_names_the_manager(
    engine: Engine, target: KubernetesTarget
) -> None:
    await engine.write("configmaps", config_map(engine.namespace, colour="red"), manager="flux")
    effect = await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    assert (effect.state, effect.status, effect.changed) == ("failed", 409, False)
    assert any("flux" in cause and ".data.colour" in cause for cause in effect.causes)


async def test_what_is_so_already_is_not_written(engine: Engine, target: KubernetesTarget, proxy: FaultyProxy) -> None:
    await engine.write("configmaps", config_map(engine.namespace))
    effect = await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    assert (effect.state, effect.changed, effect.message) == ("ready", False, "unchanged")
    assert proxy.writes == 0


async def test_a_refusal_is_final_and_in_the_api_servers_words(engine: Engine, target: KubernetesTarget) -> None:
    unknown = {**config_map(engine.namespace), "bogus": 1}
    effect = await target.apply(operation("apply", unknown), FreePermit())
    assert effect.state == "failed"
    assert "bogus" in effect.message
    assert await engine.get("configmaps", "settings") is None


async def test_a_missing_namespace_is_not_taken_for_a_missing_object(target: KubernetesTarget) -> None:
    effect = await target.apply(operation("apply", config_map("nowhere")), FreePermit())
    assert (effect.state, effect.status) == ("failed", 404)
    assert 'namespaces "nowhere" not found' in effect.message


async def test_an_unknown_kind_is_refused_after_it_was_looked_for(engine: Engine, target: KubernetesTarget) -> None:
    metadata = {"name": "w", "namespace": engine.namespace}
    for version in ("shop.example/v1", "apps/v1", "apps/v9"):
        with pytest.raises(RefusedError, match="is not served as") as refused:
            await target.apply(
                operation("apply", {"apiVersion": version, "kind": "Widget", "metadata": metadata}), FreePermit()
            )
        assert (refused.value.effect.state, refused.value.effect.status) == ("failed", 404)


async def test_a_manifest_of_something_else_is_never_applied(engine: Engine, target: KubernetesTarget) -> None:
    wanted = operation("apply", config_map(engine.namespace))
    other = operation("apply", config_map(engine.namespace, name="other"), resource=wanted.resource)
    effect = await target.apply(other, FreePermit())
    assert effect.state == "failed"
    assert "other" in effect.message


async def test_nothing_is_written_once_the_time_is_over(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    with pytest.raises(ExpiredError):
        await target.apply(operation("apply", config_map(engine.namespace)), FreePermit(expired=True))
    assert proxy.writes == 0


async def test_a_deployment_is_applied_and_not_ready_yet(engine: Engine, target: KubernetesTarget) -> None:
    wanted = operation("apply", deployment(engine.namespace))
    effect = await target.apply(wanted, FreePermit())
    assert effect.state == "applied"
    assert (await target.progress(wanted, "another-uid")).state == "replaced"


# ── unanswered writes ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_write_whose_answer_is_lost_is_found_again(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    wanted, permit = operation("create", config_map(engine.namespace), absent=True), FreePermit()
    proxy.scripts.append(lose_answer)
    with pytest.raises(TransientError):
        await target.apply(wanted, permit)
    assert permit.open
    effect = await target.apply(wanted, permit)
    assert (effect.state, effect.changed) == ("ready", True)
    assert (proxy.writes, proxy.applied) == (1, 1)


async def test_a_write_that_may_have_come_and_gone_is_given_back_to_be_decided_again(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    wanted, permit = operation("create", config_map(engine.namespace), absent=True), FreePermit()
    proxy.scripts.append(afterwards(lambda: engine.remove("configmaps", "settings")))
    with pytest.raises(TransientError):
        await target.apply(wanted, permit)
    effect = await target.apply(wanted, permit)
    assert effect.state == "conflict"
    assert (proxy.writes, proxy.applied) == (1, 1)
    assert await engine.get("configmaps", "settings") is None


async def test_a_lost_write_is_tried_again_when_the_object_proves_that_it_was_lost(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    await engine.write("configmaps", config_map(engine.namespace, size="large"))
    wanted, permit = operation("apply", config_map(engine.namespace)), FreePermit()
    proxy.scripts.append(lose_request)
    with pytest.raises(TransientError):
        await target.apply(wanted, permit)
    assert (await target.apply(wanted, permit)).state == "ready"
    assert (proxy.writes, proxy.applied) == (2, 1)


async def test_an_unanswered_write_on_an_object_that_others_changed_is_decided_again(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    await engine.write("configmaps", config_map(engine.namespace, size="large"))
    wanted, permit = operation("apply", config_map(engine.namespace)), FreePermit()
    proxy.scripts.append(lose_request)
    with pytest.raises(TransientError):
        await target.apply(wanted, permit)
    await engine.write("configmaps", config_map(engine.namespace, size="small"))
    assert (await target.apply(wanted, permit)).state == "conflict"
    assert proxy.applied == 0


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (refuse(429, "slow down", reason="TooManyRequests", retry_after="7"), TransientError),
        (refuse(503, "not now", reason="ServiceUnavailable", retry_after="7"), TransientError),
        (refuse(500, "failed calling webhook", reason="InternalError", retryAfterSeconds=7), RefusedError),
    ],
)
async def test_a_refusal_that_passes_is_tried_again_after_the_time_it_names(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy, script: Any, error: type[TransientError]
) -> None:
    wanted, permit = operation("create", config_map(engine.namespace), absent=True), FreePermit()
    proxy.scripts.append(script)
    with pytest.raises(error) as refused:
        await target.apply(wanted, permit)
    assert refused.value.retry_after_s == 7
    assert not permit.open
    assert (await target.apply(wanted, permit)).state == "ready"


@pytest.mark.parametrize(
    "script",
    [
        refuse(504, "gateway", reason=""),
        refuse(502, ""),
        refuse(500, "etcdserver: request timed out"),
        refuse(500, "rpc error: code = Unavailable desc = error reading from server: EOF"),
        refuse(503, "upstream connect error"),
    ],
)
async def test_an_answer_that_leaves_it_open_is_no_proof(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy, script: Any
) -> None:
    permit = FreePermit()
    proxy.scripts.append(script)
    with pytest.raises(TransientError):
        await target.apply(operation("create", config_map(engine.namespace), absent=True), permit)
    assert permit.open


@pytest.mark.parametrize("status", [400, 403, 413, 422])
async def test_other_refusals_end_it(engine: Engine, target: KubernetesTarget, proxy: FaultyProxy, status: int) -> None:
    causes = [{"reason": "FieldValueInvalid", "message": "must be even", "field": "data.n"}]
    proxy.scripts.append(refuse(status, "no", reason="Invalid", causes=causes))
    effect = await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    assert effect == Effect("failed", False, "no", status, ("data.n: must be even",))


async def test_a_deletion_is_sent_once_and_what_is_made_anew_after_it_is_none_of_its_business(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    """Sent again by itself it would meet the successor, and count as a deletion that was never done."""
    live = await engine.write("configmaps", config_map(engine.namespace))
    wanted, permit = operation("delete", resource=resource_of(live), uid=live["metadata"]["uid"]), FreePermit()
    proxy.scripts.append(afterwards(lambda: engine.write("configmaps", config_map(engine.namespace, colour="red"))))
    with pytest.raises(TransientError):
        await target.delete(wanted, permit)
    assert proxy.writes == 1
    effect = await target.delete(wanted, permit)
    assert (effect.state, effect.changed) == ("done", True)
    assert await engine.get("configmaps", "settings") is not None


DENIAL = 'admission webhook "hosts.example.com" denied the request: the host is taken'


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
@pytest.mark.parametrize("action", ["create", "delete"])
async def test_a_denial_ends_it_whatever_its_status_is(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy, action: Action, status: int
) -> None:
    """A webhook likes any status; taken for a race or an overload it would be tried again for a day."""
    denied = refuse(status, DENIAL)
    wanted = operation(action, config_map(engine.namespace), absent=True)
    if action == "delete":
        live = await engine.write("configmaps", config_map(engine.namespace))
        wanted = operation("delete", resource=resource_of(live), uid=live["metadata"]["uid"])
    proxy.scripts += [denied, denied]  # credentials are renewed once
    proxy.reads += [pass_on, pass_on, denied, denied]
    effect = await (target.delete if action == "delete" else target.apply)(wanted, FreePermit())
    assert (effect.state, effect.changed, effect.status, effect.message) == ("failed", False, status, DENIAL)


async def test_a_denial_of_a_rehearsal_is_the_answer_whatever_its_status_is(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    asked = change(config_map(engine.namespace))
    await target.rehearse((asked,))  # what is served is known
    proxy.reads += [pass_on, refuse(503, DENIAL)]
    (one,) = await target.rehearse((asked,))
    assert (one.status, one.message) == (503, DENIAL)


async def test_a_webhook_that_cannot_be_asked_has_not_denied_a_rehearsal(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    """It is down for a moment: an intent is deferred, as while the API server is, not denied."""
    asked = change(config_map(engine.namespace))
    await target.rehearse((asked,))  # what is served is known
    words = 'Internal error occurred: failed calling webhook "hosts.example.com": connection refused'
    proxy.reads += [pass_on, refuse(500, words, reason="InternalError")]
    with pytest.raises(TransientError, match="failed calling webhook"):
        await target.rehearse((asked,))


# ── delete, read ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_delete_takes_exactly_its_uid(engine: Engine, target: KubernetesTarget) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    uid = live["metadata"]["uid"]
    wanted = operation("delete", None, resource=resource_of(live), uid=uid)
    assert await target.delete(wanted, FreePermit()) == Effect("done", uid=uid)
    assert await target.delete(wanted, FreePermit()) == Effect("done", False, "gone already", uid=uid)
    await engine.write("configmaps", config_map(engine.namespace))
    again = await target.delete(wanted, FreePermit())
    assert again.state == "conflict"
    assert "made anew" in again.message
    assert await engine.get("configmaps", "settings") is not None


async def test_a_successor_is_not_touched_by_a_delete_that_may_have_been_done(
    engine: Engine, target: KubernetesTarget
) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    wanted = operation("delete", None, resource=resource_of(live), uid="a-former-uid")
    assert (await target.delete(wanted, FreePermit(open=True))).state == "done"
    assert await engine.get("configmaps", "settings") is not None


async def test_a_delete_without_a_uid_is_refused(engine: Engine, target: KubernetesTarget, proxy: FaultyProxy) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    effect = await target.delete(operation("delete", None, resource=resource_of(live)), FreePermit())
    assert effect.state == "failed"
    assert proxy.writes == 0


async def test_a_delete_that_rests_on_content_conflicts_with_a_change(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    uid, version = live["metadata"]["uid"], live["metadata"]["resourceVersion"]
    wanted = operation("delete", None, resource=resource_of(live), uid=uid, resource_version=version)
    proxy.scripts.append(meanwhile(lambda: engine.write("configmaps", config_map(engine.namespace, colour="red"))))
    with pytest.raises(TransientError, match="somebody else was faster"):
        await target.delete(wanted, FreePermit())
    assert (await target.delete(wanted, FreePermit())).state == "conflict"
    assert await engine.get("configmaps", "settings") is not None


async def test_a_delete_whose_answer_is_lost_is_done(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    live = await engine.write("configmaps", config_map(engine.namespace))
    wanted = operation("delete", None, resource=resource_of(live), uid=live["metadata"]["uid"])
    permit = FreePermit()
    proxy.scripts.append(lose_answer)
    with pytest.raises(TransientError):
        await target.delete(wanted, permit)
    effect = await target.delete(wanted, permit)
    assert (effect.state, effect.changed) == ("done", True)
    assert proxy.applied == 1


async def test_a_finalizer_shows_as_terminating_and_the_delete_is_not_repeated(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    manifest = config_map(engine.namespace)
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    live = await engine.write("configmaps", manifest)
    wanted = operation("delete", None, resource=resource_of(live), uid=live["metadata"]["uid"])
    first = await target.delete(wanted, FreePermit())
    again = await target.delete(wanted, FreePermit())
    assert (first.state, again.state) == ("applied", "applied")
    assert "example.com/hold" in first.message
    assert proxy.writes == 1
    assert (await target.progress(wanted, first.uid)).state == "terminating"
    conflict = await target.apply(operation("apply", config_map(engine.namespace, a="b"), step="s2"), FreePermit())
    assert conflict.state == "conflict"
    await engine.write("configmaps", config_map(engine.namespace))
    assert (await target.progress(wanted, first.uid)).state == "gone"


async def test_a_secret_is_read_without_its_values(engine: Engine, target: KubernetesTarget) -> None:
    live = await engine.write("secrets", secret(engine.namespace, password="hunter2hunter2"))
    effect = await target.read(operation("read", None, resource=resource_of(live)), FreePermit())
    assert effect.object is not None
    assert effect.object["data"] == {"password": None}
    assert "hunter2" not in str(effect)
    assert "aHVudGVy" not in str(effect)


async def test_a_read_of_what_vanished_is_decided_again(engine: Engine, target: KubernetesTarget) -> None:
    resource = f"ConfigMap/{engine.namespace}/settings"
    meant = await target.read(operation("read", None, resource=resource, uid="a-former-uid"), FreePermit())
    asked = await target.read(operation("read", None, resource=resource), FreePermit())
    assert (meant.state, asked.state, asked.status) == ("conflict", "failed", 404)


async def test_no_refusal_quotes_a_secrets_value(engine: Engine, target: KubernetesTarget) -> None:
    effect = await target.apply(operation("apply", secret(engine.namespace, pin=73911)), FreePermit())
    assert effect.state == "failed"
    assert "73911" not in str(effect)


# ── rehearse ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_rehearsal_writes_nothing_and_answers_in_order(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    await engine.write("configmaps", config_map(engine.namespace, name="kept"))
    results = await target.rehearse(
        (
            change(config_map(engine.namespace, name="new")),
            change(config_map(engine.namespace, name="kept")),
            change({**config_map(engine.namespace, name="odd"), "bogus": 1}),
            change(secret(engine.namespace, password="hunter2hunter2")),
        )
    )
    new, kept, odd, token = results
    assert new.after == {"resource": f"ConfigMap/{engine.namespace}/new", "parts": {"key": ["colour"]}} or new.after
    assert (new.unchanged, kept.unchanged) == (False, True)
    assert odd.status >= 400
    assert "bogus" in odd.message
    assert not odd.blocked
    assert token.after is not None
    assert "hunter2" not in str(results)
    assert proxy.writes == 0
    assert await engine.get("configmaps", "new") is None


async def test_an_applied_manifest_is_unchanged_when_rehearsed(engine: Engine, target: KubernetesTarget) -> None:
    await target.apply(operation("apply", config_map(engine.namespace)), FreePermit())
    (result,) = await target.rehearse((change(config_map(engine.namespace)),))
    assert result.unchanged


async def test_what_the_bundle_itself_brings_only_blocks(target: KubernetesTarget) -> None:
    widget = {
        "apiVersion": "shop.example/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "new-shop"},
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new-shop"}}
    of_widgets = definition("shop.example", "Widget", "widgets")
    bundle = [change(one) for one in (namespace, of_widgets, widget, config_map("new-shop"))]
    brought = await target.rehearse(tuple(bundle))
    assert [(one.status, one.blocked) for one in brought] == [(0, False), (0, False), (404, True), (404, True)]
    alone = await target.rehearse(tuple(bundle[2:]))
    assert [(one.status, one.blocked) for one in alone] == [(404, False), (404, False)]


async def test_an_api_server_that_cannot_be_asked_is_not_taken_for_consent(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy
) -> None:
    proxy.reads.extend([refuse(429, "slow down", reason="TooManyRequests")] * 3)
    with pytest.raises(TransientError):
        await target.rehearse((change(config_map(engine.namespace)),))


@pytest.mark.parametrize("place", range(6))
async def test_an_api_server_that_goes_while_it_is_asked_what_it_serves_is_asked_again_later(
    engine: Engine, target: KubernetesTarget, proxy: FaultyProxy, place: int
) -> None:
    """It is asked for many things at once; what one of them met is no defect of ours."""
    live = await engine.write("configmaps", config_map(engine.namespace))
    proxy.reads += [*[pass_on] * place, *[lose_request] * 40]  # each question is asked twice before it is given up
    with pytest.raises(TransientError):
        await target.state(live)
    proxy.reads.clear()
    assert (await target.state(live))["parts"] == {"key": ("colour",)}
