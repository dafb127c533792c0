"""Who is touched: each once, whoever of several things it depends on."""

from __future__ import annotations

from schemas.verdicts import Impact
from tests.kit.court import LYON, Court, apply, delete
from tests.kit.manifests import Manifest, deployment, mounts_secret, secret, service

ONE, OTHER = secret("one", "k"), secret("other", "k")


def mounting(*secrets: Manifest) -> Manifest:
    """A Deployment that mounts all of them."""
    made = deployment("web", mounts_secret("one"))
    volumes = [{"name": one["metadata"]["name"], "secret": {"secretName": one["metadata"]["name"]}} for one in secrets]
    made["spec"]["template"]["spec"]["volumes"] = volumes
    return made


def impact(court: Court, *names: str) -> Impact:
    return court.judge(delete(*names)).impact


def test_who_depends_on_two_things_counts_once() -> None:
    court = Court(ONE, OTHER, mounting(ONE, OTHER))
    both, single = impact(court, "secret/one", "secret/other"), impact(court, "secret/one")
    assert (both.direct, both.more, len(both.first)) == (1, 0, 1)
    assert both.by_kind == single.by_kind == {LYON: {"apps/Deployment": 1}}


def test_what_is_to_change_is_not_touched_by_it() -> None:
    court = Court(ONE, mounting(ONE), service("web"))
    assert impact(court, "secret/one").first == ("apps/Deployment/shop/web",)
    both = impact(court, "secret/one", "deployment/web")
    assert "apps/Deployment/shop/web" not in both.first
    assert both.direct == len(both.first)


def test_what_stays_as_it_is_touches_nobody() -> None:
    there = ONE, mounting(ONE)
    assert Court(*there, unchanged=True).judge(apply(ONE)).impact == Impact()
    assert Court(*there, unchanged=False).judge(apply(ONE)).impact.direct == 1
