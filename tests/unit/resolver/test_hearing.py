"""Whatever breaks while an intent is heard is that intent's problem alone: it is denied, and the others are decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from schemas.intents import Intent
from schemas.verdicts import Verdict
from services.resolver import hearing
from services.resolver.signals import IntentSeen, StoreVerdict
from tests.kit.manifests import secret
from tests.unit.resolver.test_storing_together import world
from tests.unit.resolver.world import LYON, World

VALUE = "c2VjcmV0"  # of a Secret: an exception may well quote it


def asked(made: World, name: str, **more: Any) -> Intent:
    now = made.moment.wall
    return Intent(id=name, site=LYON, namespace="shop", created_at=now, expires_at=now + timedelta(hours=1), **more)


def verdict_on(made: World, intent: Intent) -> Verdict:
    effects = made.machine.step(IntentSeen(intent), made.moment)
    (stored,) = [one for one in effects if isinstance(one, StoreVerdict)]
    return stored.verdict


def breaking(function: Callable[..., Any], intent: str) -> Callable[..., Any]:
    def broken(about: Any, *rest: Any) -> Any:
        name = about.id if isinstance(about, Intent) else about.intent
        if name == intent and not getattr(about, "problems", ()):
            raise KeyError(VALUE)
        return function(about, *rest)

    return broken


@pytest.mark.parametrize("step", ["take_in", "decide"])
def test_an_intent_over_which_the_resolver_breaks_is_denied_and_the_next_one_decided(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world()
    monkeypatch.setattr(hearing, step, breaking(getattr(hearing, step), "breaks"))
    both = ("secret/free", "secret/other")
    broken = verdict_on(made, asked(made, "breaks", verb="delete", resources=both))
    assert (broken.decision, [one.code for one in broken.reasons]) == ("deny", ["D010"])
    assert "a defect of the resolver: KeyError at resolver/test_hearing.py:" in broken.reasons[0].message
    assert verdict_on(made, asked(made, "whole", verb="delete", resources=both)).decision == "allow"


def test_what_the_exception_says_is_not_in_the_verdict_since_it_may_quote_a_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = world()
    monkeypatch.setattr(hearing, "decide", breaking(hearing.decide, "breaks"))
    manifest = {**secret("new"), "data": {"key": VALUE}}
    preview = asked(made, "breaks", verb="create", manifests=(manifest,), preview=True)
    verdict = made.machine.preview(preview, made.moment)
    assert verdict.decision == "deny"
    assert VALUE not in verdict.to_json().decode()
    assert [str(one) for one in verdict.targets] == ["Secret/shop/new"]


def test_nobody_may_override_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    made = world()
    monkeypatch.setattr(hearing, "decide", breaking(hearing.decide, "breaks"))
    override = [{"code": "D010", "reason": "I know better"}]
    broken = verdict_on(
        made, asked(made, "breaks", verb="delete", resources=("secret/free", "secret/other"), overrides=override)
    )
    assert broken.decision == "deny"
