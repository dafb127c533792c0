"""Before a write: what the live object, the preconditions and the permit settle. No cluster is needed to know."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.identity import ResourceKey
from services.executor.kubernetes import apply, delete, manifests
from services.executor.kubernetes.errors import ApiError, UnreachableError, standing
from services.executor.kubernetes.manifests import MARKER
from services.executor.kubernetes.secrecy import discreet, without_values
from services.executor.permit import Lease, OperationPermit
from services.executor.target import ExpiredError, LeaseLostError
from tests.unit.executor.builders import NOW, config_map, deployment, operation, secret

UID = "0f9a"


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class NoDelivery:
    """A lease that nobody extends needs none."""


def permit(*, open: bool = False, basis: str = "") -> OperationPermit:
    made = OperationPermit(operation("apply", config_map("shop")), maybe_begun=open, wall=lambda: NOW)
    made.basis = basis
    return made


def live(**metadata: Any) -> dict[str, Any]:
    found = config_map("shop")
    found["metadata"] |= {"uid": UID, "resourceVersion": "70"} | metadata
    return found


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_our_mark_is_the_proof_of_the_effect_whatever_else_has_changed() -> None:
    wanted = operation("create", config_map("shop"), absent=True)
    found = apply.judge(wanted, live(annotations={MARKER: wanted.id}, resourceVersion="99"), permit(open=True))
    assert found is not None
    assert (found.state, found.changed, found.resource_version) == ("ready", True, "99")


def test_another_operations_mark_proves_nothing() -> None:
    wanted = operation("apply", config_map("shop"))
    assert apply.judge(wanted, live(annotations={MARKER: "another.1.s1"}), permit()) is None


@pytest.mark.parametrize(
    ("precondition", "object", "message"),
    [
        ({"absent": True}, live(), "exists meanwhile"),
        ({"uid": UID}, None, "not there any more"),
        ({"resource_version": "70"}, None, "not there any more"),
        ({"uid": "another"}, live(), "made anew"),
        ({"resource_version": "69"}, live(), "was changed"),
        ({}, live(deletionTimestamp="2026"), "is being deleted"),
    ],
)
def test_what_the_verdict_rested_on_must_be_so(precondition: Any, object: Any, message: str) -> None:
    found = apply.judge(operation("apply", config_map("shop"), **precondition), object, permit())
    assert found is not None
    assert (found.state, found.changed) == ("conflict", False)
    assert message in found.message


@pytest.mark.parametrize(
    ("object", "basis", "goes_on"),
    [
        (None, "", False),  # made and deleted again, or never made: nobody can know
        (None, "1", False),
        (live(), "", False),
        (live(), "69", False),  # changed since: perhaps by us, and our mark overwritten
        (live(), "70", True),  # still at the version that our write was conditional on: it was not done
    ],
)
def test_an_open_write_is_repeated_only_where_it_is_proven_undone(object: Any, basis: str, goes_on: bool) -> None:
    found = apply.judge(operation("apply", config_map("shop")), object, permit(open=True, basis=basis))
    assert (found is None) == goes_on
    assert found is None or found.state == "conflict"


@pytest.mark.parametrize(
    ("action", "precondition", "object", "goes_on"),
    [
        ("update", {"uid": UID}, live(annotations={MARKER: "i1.1.s1"}), True),  # as the step has left it
        ("update", {"uid": UID}, live(annotations={MARKER: "i2.1.s1"}), False),  # another intent has written it since
        ("create", {"absent": True}, None, True),  # what the step has deleted is not there again
        ("update", {"uid": UID}, None, False),
    ],
)
def test_an_undo_that_an_executor_was_killed_in_goes_on_where_no_try_of_it_came_through(
    action: Any, precondition: Any, object: Any, goes_on: bool
) -> None:
    """A status counts as a version, too; and nobody decides an undo again."""
    undo = operation(action, config_map("shop"), id="i1.2.u1", **precondition)
    undo = undo.model_copy(update={"undoes": "i1.1.s1"})
    found = apply.judge(undo, object, permit(open=True, basis="69"))
    assert (found is None) == goes_on
    assert found is None or found.state == "conflict"


@pytest.mark.parametrize(
    ("object", "open", "state", "changed"),
    [
        (None, False, "done", False),
        (None, True, "done", True),
        (live(uid="another"), False, "conflict", False),
        (live(uid="another"), True, "done", True),
        (live(deletionTimestamp="2026"), False, "applied", False),
        (live(deletionTimestamp="2026"), True, "applied", True),
    ],
)
def test_a_uid_that_is_gone_or_going_is_not_deleted_again(object: Any, open: bool, state: str, changed: bool) -> None:
    wanted = operation("delete", None, resource="ConfigMap/shop/settings", uid=UID)
    found = delete.judge(wanted, object, permit(open=open))
    assert found is not None
    assert (found.state, found.changed) == (state, changed)


def test_a_delete_of_the_object_that_was_meant_goes_on() -> None:
    wanted = operation("delete", None, resource="ConfigMap/shop/settings", uid=UID)
    assert delete.judge(wanted, live(), permit(open=True)) is None


# ── the permit ──────────────────────────────────────────────────────────────────────────────────────────────────────


def with_lease(made: OperationPermit, clock: Clock) -> OperationPermit:
    made.lease = Lease(NoDelivery(), 30.0, clock)  # type: ignore[arg-type]  # never extended here
    return made


def test_nothing_is_written_after_the_lease_has_run_out() -> None:
    clock = Clock()
    taken = with_lease(permit(), clock)
    clock.now_s += 29.9
    taken.take("70")
    clock.now_s += 0.2
    with pytest.raises(LeaseLostError):
        taken.take("70")


def test_nothing_is_written_after_the_time_is_over() -> None:
    wanted = operation("apply", config_map("shop"), issued_at=NOW, expires_in_s=60)
    late = with_lease(OperationPermit(wanted, maybe_begun=False, wall=lambda: NOW + timedelta(seconds=60)), Clock())
    with pytest.raises(ExpiredError):
        late.take("70")
    assert not late.open


def test_an_answered_write_closes_itself_and_not_an_earlier_one_that_was_never_answered() -> None:
    taken = with_lease(permit(), Clock())
    taken.take("70")
    taken.settle()
    assert (taken.open, taken.basis) == (False, "")
    taken.take("70")  # never answered
    taken.take("70")
    taken.settle()
    assert (taken.open, taken.basis) == (True, "70")


def test_what_another_process_may_have_begun_is_open_and_only_a_named_version_can_disprove_it() -> None:
    wanted = operation("update", config_map("shop"), uid=UID, resource_version="70")
    taken = OperationPermit(wanted, maybe_begun=True, wall=lambda: NOW)
    assert (taken.open, taken.basis) == (True, "70")


# ── manifests ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"action": "delete", "manifest": None}, "names no uid"),
        ({"manifest": None}, "without a manifest"),
        ({"manifest": deployment("shop", "settings")}, "not a v1 ConfigMap"),
        ({"manifest": config_map("shop", "other")}, "not as"),
        ({"manifest": config_map("other")}, "not as"),
        ({"resource": "ConfigMap/shop/.."}, "no name of an object"),
        ({"resource": "ConfigMap/shop/a%2Fb"}, "no name of an object"),
        ({"resource": "settings"}, "not a resource identity"),
    ],
)
def test_an_operation_that_does_not_fit_together_is_refused(changed: dict[str, Any], word: str) -> None:
    assert word in manifests.misfit(operation("apply", config_map("shop")).model_copy(update=changed))


def test_a_fitting_operation_is_taken() -> None:
    assert manifests.misfit(operation("apply", config_map("shop"))) == ""
    assert manifests.misfit(operation("apply", deployment("shop"))) == ""


def test_a_manifest_is_cleaned_and_not_changed_itself() -> None:
    given_ = config_map("shop")
    given_["metadata"] |= {"uid": "x", "resourceVersion": "1", "annotations": {manifests.LAST_APPLIED: "{}"}}
    given_["status"] = {"a": 1}
    before = repr(given_)
    assert manifests.clean(given_, ResourceKey.parse("ConfigMap/shop/settings"), "v1") == config_map("shop")
    assert repr(given_) == before


def test_a_guard_names_what_was_seen_or_that_nothing_was() -> None:
    assert manifests.guarded(config_map("shop"), live())["metadata"] | {"uid": UID, "resourceVersion": "70"}
    absent = manifests.guarded(config_map("shop"), None)["metadata"]
    assert absent["resourceVersion"] == manifests.ABSENT_VERSION
    assert "uid" not in absent


def test_bookkeeping_and_our_mark_are_no_difference() -> None:
    marked = manifests.marked(live(managedFields=[1], generation=2), "i1.1.s1")
    assert manifests.same(marked, live(resourceVersion="71"))
    assert not manifests.same(marked, live(labels={"a": "b"}))


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def refusal(status: int, message: str = "", reason: str = "", **details: Any) -> ApiError:
    return ApiError(status, {"message": message, "reason": reason, "details": details})


MANAGERS = [{"reason": "FieldManagerConflict", "message": 'conflict with "flux"', "field": ".data.x"}]
UID_CHANGED = [{"reason": "FieldValueInvalid", "message": "field is immutable", "field": "metadata.uid"}]


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (UnreachableError("refused", sent=False), "again"),
        (UnreachableError("cut", sent=True), "unknown"),
        (refusal(400), "final"),
        (refusal(401), "again"),
        (refusal(403, "no"), "final"),
        (refusal(403, "pods is forbidden: error looking up service account a/default: not found"), "again"),
        (refusal(404), "final"),
        (refusal(408), "unknown"),
        (refusal(409, reason="Conflict"), "raced"),
        (refusal(409, reason="AlreadyExists"), "raced"),
        (refusal(409, reason="Conflict", causes=MANAGERS), "final"),
        (refusal(422), "final"),
        (refusal(422, causes=UID_CHANGED), "raced"),
        (refusal(429), "again"),
        (refusal(500, "failed to create typed patch object (/a; /v1): .x: field not declared"), "final"),
        (refusal(500, "failed to convert new object (/s; /v1): illegal base64 data"), "final"),
        (refusal(500, "etcdserver: request timed out"), "unknown"),
        (refusal(500, 'failed calling webhook "x": context deadline exceeded', "InternalError"), "again"),
        (refusal(500, "boom", "InternalError"), "again"),
        (refusal(500, "try again", "ServerTimeout"), "unknown"),
        (refusal(502), "unknown"),
        (refusal(503, "not now", "ServiceUnavailable"), "again"),
        (refusal(503, "upstream connect error"), "unknown"),
        (refusal(504, "timed out", "Timeout"), "unknown"),
    ],
)
def test_what_is_known_of_a_write_after_a_refusal(error: Any, known: str) -> None:
    assert standing(error) == known


def test_absence_is_proven_only_by_an_answer_about_exactly_this_object() -> None:
    assert refusal(404, kind="configmaps", name="a").is_absence_of("configmaps", "a")
    assert not refusal(404, kind="namespaces", name="a").is_absence_of("configmaps", "a")
    assert not refusal(404).is_absence_of("configmaps", "a")
    assert refusal(404, "404 page not found").is_unserved_path
    assert not refusal(404, kind="namespaces", name="a").is_unserved_path


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(value=st.text(min_size=1, max_size=40), around=st.text(max_size=20))
def test_no_value_survives_in_what_is_said_about_its_secret(value: str, around: str) -> None:
    answer = {"message": f"{around} {value} .", "details": {"causes": [{"message": f"got &{{{value}}}"}]}}
    said = discreet(answer, secret("shop", password=value))
    if len(value) > 3:
        assert value not in said["message"].replace("(hidden)", "")
    assert f"{{{value}}}" not in said["details"]["causes"][0]["message"]


def test_a_value_is_hidden_as_it_was_sent_and_as_it_reads() -> None:
    sent = {"apiVersion": "v1", "kind": "Secret", "data": {"pin": "aHVudGVyMg=="}, "stringData": {"n": 12345}}
    said = discreet({"message": "expected hunter2 or aHVudGVyMg== or 12345"}, sent)
    assert said["message"] == "expected (hidden) or (hidden) or (hidden)"


def test_a_long_value_is_hidden_though_it_is_quoted_in_part() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQ" * 100
    quoted = "invalid: " + key.replace("\n", "\\n")[:90] + "..."
    assert discreet({"message": quoted}, secret("shop", key=key)) == {"message": "invalid: (hidden)"}


def test_what_is_no_secret_is_quoted() -> None:
    assert discreet({"message": "blue"}, config_map("shop")) == {"message": "blue"}


def test_a_secret_is_shown_with_its_keys_only() -> None:
    found = secret("shop", a="1")
    found["data"] = {"b": "Mg=="}
    found["metadata"]["annotations"] = {manifests.LAST_APPLIED: "Mg==", "kept": "yes"}
    shown = without_values(found)
    assert (shown["data"], shown["stringData"]) == ({"b": None}, {"a": None})
    assert shown["metadata"]["annotations"] == {"kept": "yes"}
    assert found["data"] == {"b": "Mg=="}
