"""What a program gets wrong is told by the field, before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cheops.drafts import Intent
from schemas.envelope import MessageError
from schemas.identity import SiteName
from schemas.intents import Intent as EnteredIntent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entered(draft: Intent) -> EnteredIntent:
    return draft.entered(intent_id="i-1", site=SiteName("lyon"), requester="anna", now=NOW)


def with_value(value: Any) -> Intent:
    return Intent.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": value}}])


@pytest.mark.parametrize("manifests", ["kind: Secret", {"kind": "Secret"}, [["kind"]], ["kind: Secret"]])
def test_what_is_no_list_of_mappings_is_told_from_one(manifests: Any) -> None:
    with pytest.raises(MessageError, match=r"^manifests\.0: .* \(expected a list of mappings"):
        entered(Intent.apply(manifests))


def test_an_empty_document_of_yaml_is_passed_over() -> None:
    draft = with_value("x")
    assert entered(Intent.apply([None, *draft.manifests, None])) == entered(draft)  # type: ignore[list-item]  # as PyYAML gives
    with pytest.raises(MessageError, match="needs 'manifests'"):
        entered(Intent.apply([None]))  # type: ignore[list-item]  # likewise


@pytest.mark.parametrize("value", [object(), b"\xff", "\ud800", [1, {"a": object()}]])
def test_what_json_cannot_say_is_named(value: Any) -> None:
    with pytest.raises(MessageError, match=r"^manifests\.0\.data\.key.*: not what JSON can say"):
        entered(with_value(value))


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e30, "soon"])
def test_a_lifetime_that_no_clock_can_tell_is_told(seconds: Any) -> None:
    with pytest.raises(MessageError, match=r"^lifetime_s: "):
        entered(Intent.delete("secret/ca", lifetime_s=seconds))


def test_overrides_have_a_reason_each() -> None:
    with pytest.raises(MessageError, match=r"^overrides: \['D310'\] \(expected code → reason\)"):
        entered(Intent.delete("secret/ca", overrides=["D310"]))
