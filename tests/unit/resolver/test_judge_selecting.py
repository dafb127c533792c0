"""What is said of a selector that leads to nobody."""

from __future__ import annotations

from tests.kit.court import Court, apply, create, update
from tests.kit.manifests import deployment, service


def said(court: Court, app: str) -> list[str]:
    verdict = court.judge(apply(service("web", app)))
    return [one.message for one in verdict.reasons if one.code == "W110"]


def test_whoever_never_selected_anything_selects_nothing_yet() -> None:
    (message,) = [one.message for one in Court().judge(create(service("web", "web"))).reasons]
    assert message == "Service shop/web selects nothing yet"
    assert said(Court(service("web", "other")), "nobody") == ["Service shop/web selects nothing yet"]


def test_whoever_lets_go_of_all_that_it_selected_selects_nothing_any_more() -> None:
    """Of what had led to pods until then it was said that it leads to none yet."""
    court = Court(service("web", "web"), deployment("web"))
    assert said(court, "nobody") == ["Service shop/web selects nothing any more"]
    assert said(court, "web") == []
    assert court.judge(update(service("web", "nobody"))).decision == "allow"
