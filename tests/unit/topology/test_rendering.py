"""What the configurations of a mesh mean, read back as data."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from cheops.topology.permissions import LINK, ROLES
from cheops.topology.plan import Plan, parse_address
from cheops.topology.rendering import as_text, router_configuration, site_configuration
from deploy.nats.examples import HERE, examples
from schemas.identity import IdentityError
from services.chassis.bus.matching import matches
from services.chassis.bus.sizes import SERVER_PAYLOAD_BYTES
from services.chassis.bus.streams import STORE_BYTES, promised
from services.chassis.errors import SettingsError

NAMES = ("lyon", "oslo", "nice")


def planned(routers: int, names: tuple[str, ...] = NAMES) -> Plan:
    plan = Plan(schema="mesh/v1", sites=()).with_routers(routers, {}).with_sites(names, {})
    for name in names:
        plan = plan.with_keys(name, {role: f"U-{name}-{role}" for role in ROLES})
    return plan


def sites_of(plan: Plan) -> list[dict[str, Any]]:
    return [site_configuration(plan, site) for site in plan.sites]


def test_a_site_keeps_its_own_domain_and_writes_each_message_to_the_disk() -> None:
    for name, made in zip(NAMES, sites_of(planned(2)), strict=True):
        store = {"store_dir": "store", "max_file_store": STORE_BYTES, "domain": name, "sync_interval": "always"}
        assert made["jetstream"] == store
        assert made["max_payload"] == SERVER_PAYLOAD_BYTES
        assert made["leafnodes"]["no_advertise"]


def test_a_site_may_store_what_its_streams_promise_however_little_is_free_when_it_starts() -> None:
    assert [made["jetstream"]["max_file_store"] >= promised() for made in sites_of(planned(2))] == [True] * 3


def test_every_site_dials_every_router_and_routers_hold_nothing() -> None:
    plan = planned(2)
    for made in sites_of(plan):
        assert [one["url"] for one in made["leafnodes"]["remotes"]] == [
            "nats-leaf://127.0.0.1:7422",
            "nats-leaf://127.0.0.1:7423",
        ]
        assert "listen" not in made["leafnodes"]
    for router in plan.routers:
        made = router_configuration(plan, router)
        assert "jetstream" not in made
        assert [user["nkey"] for user in made["authorization"]["users"]] == [f"U-{name}-link" for name in NAMES]


@given(some.integers(1, 12))
def test_without_routers_each_two_sites_are_joined_by_one_link_and_who_accepts_knows_who_dials(count: int) -> None:
    plan = planned(0, tuple(f"s{number}" for number in range(count)))
    ports = {site.links_port: site.name for site in plan.sites}
    joined = []
    for site, made in zip(plan.sites, sites_of(plan), strict=True):
        for remote in made["leafnodes"]["remotes"]:
            there = ports[int(remote["url"].rpartition(":")[2])]
            joined.append(frozenset({site.name, there}))
            accepting = site_configuration(plan, plan.site(there))
            assert f"U-{site.name}-{LINK}" in [user["nkey"] for user in accepting["authorization"]["users"]]
    assert len(joined) == len(set(joined)) == count * (count - 1) // 2


@pytest.mark.parametrize("routers", [0, 1, 2])
def test_no_user_is_without_both_lists_and_none_but_the_admin_may_everything(routers: int) -> None:
    plan = planned(routers)
    everything = [*sites_of(plan), *(router_configuration(plan, router) for router in plan.routers)]
    for user in (user for made in everything for user in made["authorization"]["users"]):
        for direction in ("publish", "subscribe"):
            allowed = user["permissions"][direction]["allow"]
            assert allowed
            assert (">" in allowed) == user["nkey"].endswith("-admin")


@pytest.mark.parametrize("routers", [0, 2])
def test_a_link_may_bring_only_what_its_own_site_says_to_a_peer_or_answers(routers: int) -> None:
    plan = planned(routers)
    makers = [router_configuration(plan, one) for one in plan.routers] or sites_of(plan)
    links = [user for made in makers for user in made["authorization"]["users"] if user["nkey"].endswith("-link")]
    assert links
    for user in links:
        sender = user["nkey"].split("-")[1]
        for subject in user["permissions"]["publish"]["allow"]:
            assert subject.startswith("_INBOX.") or matches(f"cheops.v1.peer.*.{sender}.>", subject)
        assert user["allowed_connection_types"] == ["LEAFNODE"]


def test_the_text_is_json_but_for_the_variable_of_the_seed() -> None:
    plan = planned(2)
    text = as_text(site_configuration(plan, plan.sites[0]), "A site.")
    lines = [line for line in text.splitlines() if not line.startswith(("#", "include "))]
    read = json.loads("{" + "\n".join(lines).replace("$link_seed", '"$link_seed"') + "}")
    assert read == site_configuration(plan, plan.sites[0])
    assert text.count("$link_seed") == 2


def test_sites_on_one_machine_get_ports_of_their_own_and_keep_them_when_others_come() -> None:
    plan = planned(2)
    more = plan.with_sites(["rome"], {}).with_routers(3, {})
    assert len({one.port for one in more.sites}) == 4
    links = [one.links_port for one in (*more.sites, *more.routers)]
    assert len(set(links)) == len(links)
    assert more.sites[:3] == plan.sites


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["lyon"], SettingsError),
        (["Lyon"], IdentityError),
        (["a.b"], IdentityError),
        (["routers"], SettingsError),
        ([""], IdentityError),
    ],
)
def test_a_name_that_exists_or_is_none_is_refused(names: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        planned(1).with_sites(names, {})


@pytest.mark.parametrize(
    "text",
    [
        *("lyon", "lyon=", "=host", "lyon=host:0", "lyon=host:x", "lyon=host:70000"),
        *("lyon=[::1", "lyon=[::1]4222", "lyon=[::1]:x", "lyon=[]"),
    ],
)
def test_an_address_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(SettingsError, match=r"NAME=HOST"):
        parse_address(text)


def test_an_address_may_leave_out_the_port() -> None:
    assert parse_address("lyon=nats.lyon.example") == ("lyon", ("nats.lyon.example", 0))
    assert parse_address("lyon=10.0.0.1:4300") == ("lyon", ("10.0.0.1", 4300))
    assert parse_address("lyon=fd00::5") == parse_address("lyon=[fd00::5]") == ("lyon", ("fd00::5", 0))


def test_an_address_of_ipv6_stands_in_brackets_before_its_port() -> None:
    name, address = parse_address("router-1=[fd00::5]:7400")
    plan = Plan(schema="mesh/v1", sites=()).with_routers(1, {name: address})
    plan = plan.with_sites(["lyon"], {"lyon": ("fd00::6", 0)})
    plan = plan.with_keys("lyon", {role: f"U-lyon-{role}" for role in ROLES})
    (site,) = sites_of(plan)
    assert (site["listen"], site["leafnodes"]["remotes"][0]["url"]) == ("[fd00::6]:4222", "nats-leaf://[fd00::5]:7400")
    assert router_configuration(plan, plan.routers[0])["leafnodes"]["listen"] == "[fd00::5]:7400"


@pytest.mark.parametrize("name", ["site.conf", "router.conf"])
def test_the_examples_are_what_would_be_written_now(name: str) -> None:
    assert (HERE / name).read_text() == examples()[name], "run: python -m deploy.nats.examples"
