"""Rules of ConfigMaps at the watcher: known before anything is read, told with their ConfigMap, read by from then."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import Raw
from pydantic import ValidationError

from schemas import subjects
from schemas.events import ResourceState, ServedKind
from schemas.identity import KindId, ResourceId, SiteName
from schemas.kinds import Surface
from schemas.relations.carried import BYTES_MAX, HELD, Rulebook, said
from schemas.relations.extract import Extractor
from schemas.ties import RULES_BEFORE_FACT, RULES_FACT
from services.chassis.bus.memory import MemoryBus
from services.chassis.errors import SettingsError, TransientError
from services.chassis.kept_rules import KeptRules
from services.watcher.__main__ import WatcherSettings, build
from services.watcher.kubernetes.discovery import Resource
from services.watcher.kubernetes.ruling import Ruling
from services.watcher.kubernetes.shaping import Shaping, read_metadata
from services.watcher.kubernetes.transport import Transport
from services.watcher.source import Gone, Listed, Listing, Seen
from tests.unit.watcher.scripted import Answer, ScriptedServer, connection_to, page, scripted, status

LYON = SiteName("lyon")
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True)
WIDGETS = Resource("example.com", "v1", "Widget", "widgets", namespaced=True)
PATH = "/api/v1/namespaces/cheops/configmaps"
GOOD = """area: mine
mounts:
  - kinds: [example.com/Widget]
    rules:
      - {rule: widget.secret, at: spec, to: {kind: Secret, name: secretName}, phases: [L]}
"""
LABELS = {"cheops.io/rules": "true"}
MINE = ResourceId("ConfigMap/cheops/mine")


class Watching:
    """A shaping and its ruling, in use."""

    def __init__(self, namespace: str = "cheops", bus: MemoryBus | None = None) -> None:
        self.book = Rulebook(namespace=namespace)
        self.shaping = Shaping(lambda surface: Extractor(self.book.catalogue, surface), self.book)
        self.shaping.use(
            Surface([ServedKind(KindId(one), "x", ("v1",)) for one in ("ConfigMap", "example.com/Widget")])
        )
        self.ruling = Ruling(self.book, self.shaping)
        self.ruling.kept = KeptRules(bus or MemoryBus(), LYON)

    def shaped(self, body: dict[str, Any], resource: Resource = CONFIG_MAPS) -> ResourceState:
        fields = {name: Raw(json.dumps(value).encode()) for name, value in body.items()}
        found = self.shaping.shape(resource, fields, read_metadata(fields))
        assert isinstance(found, ResourceState)
        return found

    async def see(self, **more: Any) -> ResourceState:
        """What is told of a ConfigMap; nothing else is."""
        (told,) = await self.ruling.take(self.shaped(config_map(**more)))
        assert isinstance(told, ResourceState)
        return told

    async def begin(self, server: ScriptedServer) -> None:
        """What the API server says is read, as before every look at what it serves."""
        transport = Transport(await connection_to(server.url))
        await self.ruling.begin(transport)
        await transport.close()

    def finds(self) -> list[str]:
        """The targets of a widget that is read now."""
        body = {"metadata": {"name": "w", "namespace": "shop"}, "spec": {"secretName": "ca"}}
        return [one.target for one in self.shaped(body, WIDGETS).references if one.rule == "widget.secret"]


def config_map(
    text: str = GOOD,
    name: str = "mine",
    namespace: str = "cheops",
    labels: dict[str, str] | None = None,
    uid: str = "u-1",
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": LABELS if labels is None else labels, "uid": uid}
    return {"metadata": metadata, "data": {"x.yaml": text, "password": "s3cret"}}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted() as made:
        yield made


async def test_a_config_map_that_carries_rules_tells_its_values_and_widgets_are_read_by_them_from_then_on() -> None:
    watching = Watching()
    assert watching.finds() == []
    state = await watching.see()
    assert json.loads(str(state.facts[RULES_FACT])) == {"x.yaml": GOOD, "password": "s3cret"}
    assert watching.finds() == ["Secret/shop/ca"]
    await watching.ruling.take(Gone(state.resource, "", ""))
    assert watching.finds() == []


@pytest.mark.parametrize(
    ("namespace", "more"),
    [
        ("cheops", {"labels": {}}),
        ("cheops", {"labels": {"cheops.io/rules": "false"}}),
        ("cheops", {"namespace": "shop"}),
        ("", {}),
    ],
)
async def test_the_values_of_any_other_config_map_stay_here(namespace: str, more: dict[str, Any]) -> None:
    watching = Watching(namespace)
    state = await watching.see(**more)
    assert RULES_FACT not in state.facts
    assert "s3cret" not in repr(state)
    assert watching.finds() == []


def test_a_secret_with_the_label_tells_no_value() -> None:
    secrets = Resource("", "v1", "Secret", "secrets", namespaced=True)
    assert "s3cret" not in repr(Watching().shaped(config_map(), secrets))


async def test_a_config_map_that_loses_its_label_takes_its_rules_along() -> None:
    watching = Watching()
    await watching.see()
    await watching.see(labels={})
    assert watching.finds() == []


async def test_one_that_is_too_large_is_told_as_such() -> None:
    watching = Watching()
    assert (await watching.see(text=GOOD + "#" * BYTES_MAX)).facts[RULES_FACT] is False
    assert watching.finds() == []
    assert "more than 256 KiB" in next(watching.book.words())


async def test_what_a_listing_does_not_name_is_gone_when_it_ends_and_not_before() -> None:
    watching = Watching()
    await watching.see()
    await watching.ruling.take(Listing())
    await watching.see(name="other", labels={})
    assert watching.finds() == ["Secret/shop/ca"]
    await watching.ruling.take(Listed("7"))
    assert watching.finds() == []
    await watching.see()
    await watching.ruling.take(Listing())
    await watching.ruling.take(Seen(MINE, "", "8"))
    await watching.ruling.take(Listed("8"))
    assert watching.finds() == ["Secret/shop/ca"]


BROKEN = "area: ["
BEFORE = said({"x.yaml": GOOD})  # "password" was never a file that could be used


async def begun(server: ScriptedServer, bus: MemoryBus, *bodies: dict[str, Any], namespace: str = "cheops") -> Watching:
    """A watcher that starts where these ConfigMaps are."""
    watching = Watching(namespace, bus)
    if namespace:
        server.on(f"/api/v1/namespaces/{namespace}/configmaps", "list", page([*bodies]))
    await watching.begin(server)
    return watching


async def test_a_file_that_is_broken_by_an_edit_holds_as_it_was_until_it_is_repaired_or_taken_out() -> None:
    watching = Watching()
    good = await watching.see()
    for text in (BROKEN, "- broken otherwise"):
        told = await watching.see(text=text)
        assert told.facts[RULES_BEFORE_FACT] == BEFORE
        assert watching.finds() == ["Secret/shop/ca"]
        assert any(HELD in line for line in watching.book.words())
    repaired = await watching.see(text=GOOD.replace("widget.secret", "widget.other"))
    assert RULES_BEFORE_FACT not in repaired.facts
    assert watching.finds() == []
    await watching.see(text=BROKEN)
    await watching.ruling.take(Gone(good.resource, "", ""))
    assert watching.book.in_force == {}
    told = await watching.see(text=BROKEN)
    assert RULES_BEFORE_FACT not in told.facts, "it is made anew"


async def test_what_another_config_map_repairs_is_told_anew_of_the_broken_one() -> None:
    watching = Watching()
    row = "{rule: part.tls, at: tls, to: {kind: Secret, name: name}, phases: [L]}"
    user = "area: user\nmounts:\n  - {kinds: [example.com/Widget], at: spec, use: [tls]}\n"
    await watching.see()
    broken = await watching.see(text=user)
    assert broken.facts[RULES_BEFORE_FACT] == BEFORE
    parts = watching.shaped(config_map(f"area: parts\nfragments:\n  tls: [{row}]\n", "parts"))
    _, again = await watching.ruling.take(parts)
    assert isinstance(again, ResourceState)
    assert (again.resource, RULES_BEFORE_FACT in again.facts) == (broken.resource, False)
    assert again.digest != broken.digest, "a follower passes over what says nothing new"
    assert await watching.ruling.take(parts) == [parts]


async def test_a_watcher_that_starts_while_a_file_is_broken_reads_by_what_it_said_before(
    server: ScriptedServer,
) -> None:
    bus = MemoryBus()
    await Watching(bus=bus).see()
    watching = await begun(server, bus, config_map(BROKEN))
    assert watching.finds() == ["Secret/shop/ca"]
    assert (await watching.see(text=BROKEN)).facts[RULES_BEFORE_FACT] == BEFORE


async def test_a_config_map_that_was_made_anew_while_no_watcher_ran_takes_nothing_over(server: ScriptedServer) -> None:
    bus = MemoryBus()
    await Watching(bus=bus).see()
    assert (await begun(server, bus, config_map(BROKEN, uid="u-2"))).finds() == []


async def test_without_a_bus_rules_that_are_broken_hold_until_a_restart_and_are_kept_once_it_is_back(
    server: ScriptedServer,
) -> None:
    bus = MemoryBus()
    watching = Watching(bus=bus)
    bus.connected = False
    await watching.see()
    await watching.see(text=BROKEN)
    assert watching.finds() == ["Secret/shop/ca"]
    bus.connected = True
    await watching.see(text=BROKEN)
    assert (await begun(server, bus, config_map(BROKEN))).finds() == ["Secret/shop/ca"]


async def test_a_start_with_another_namespace_and_back_loses_nothing_that_is_held(server: ScriptedServer) -> None:
    bus = MemoryBus()
    await Watching(bus=bus).see()
    for namespace in ("", "other"):
        watching = await begun(server, bus, namespace=namespace)
        for one in (Listing(), watching.shaped(config_map(BROKEN)), Listed("7")):
            assert await watching.ruling.take(one) == [one]
        assert watching.finds() == [], "of another namespace nothing holds"
        assert watching.book.count == 0
    watching = await begun(server, bus, config_map(BROKEN))
    assert watching.finds() == ["Secret/shop/ca"]


@pytest.mark.parametrize(
    "withdrawn",
    [
        [Gone(MINE, "u-1", "8")],
        [Listing(), Seen(ResourceId("ConfigMap/cheops/another"), "u-9", "8"), Listed("8")],
        [config_map(labels={})],
    ],
)
async def test_what_goes_while_another_namespace_is_read_holds_no_more(
    server: ScriptedServer, withdrawn: list[Any]
) -> None:
    bus = MemoryBus()
    await Watching(bus=bus).see()
    watching = await begun(server, bus, namespace="other")
    await watching.see(namespace="other", name="theirs")
    for one in withdrawn:
        await watching.ruling.take(watching.shaped(one) if isinstance(one, dict) else one)
    await watching.see(namespace="other", name="theirs", text=GOOD.replace("widget.secret", "widget.other"))
    assert (await begun(server, bus, config_map(BROKEN))).finds() == []


async def test_of_other_namespaces_no_more_is_kept_than_one_may_carry(server: ScriptedServer) -> None:
    bus = MemoryBus()
    for namespace in ("first", "second", "third"):
        watching = await begun(server, bus, namespace=namespace)
        await watching.see(namespace=namespace, text=f"{GOOD}#{'x' * (BYTES_MAX // 2)}")
    kept = KeptRules(bus, LYON)
    await kept.load()
    assert sorted(kept.in_force) == ["ConfigMap/first/mine", "ConfigMap/third/mine"]


@pytest.mark.parametrize(
    "strange",
    [
        Answer(b"<html>the load balancer's own page</html>"),
        page([{"metadata": {"name": 7}}]),
        page([{**config_map(), "metadata": {**config_map()["metadata"], "uid": []}}]),
    ],
)
async def test_what_cannot_be_read_at_the_start_holds_as_it_was_kept_until_a_whole_listing_tells(
    server: ScriptedServer, strange: Answer
) -> None:
    bus = MemoryBus()
    await Watching(bus=bus).see()
    watching = Watching(bus=bus)
    server.on(PATH, "list", strange)
    await watching.begin(server)
    assert watching.finds() == ["Secret/shop/ca"]
    assert (await watching.see(text=BROKEN)).facts[RULES_BEFORE_FACT] == BEFORE
    assert (await begun(server, bus, config_map(BROKEN))).finds() == ["Secret/shop/ca"]
    await watching.ruling.take(Listing())
    await watching.ruling.take(Listed("7"))
    assert watching.finds() == []


async def test_beside_a_config_map_that_cannot_be_read_the_others_are(server: ScriptedServer) -> None:
    watching = Watching()
    server.on(PATH, "list", page([{"metadata": {"name": 7}}], continue_="more"), page([config_map()]))
    await watching.begin(server)
    assert watching.finds() == ["Secret/shop/ca"]


async def test_what_the_bus_did_not_take_is_kept_when_the_api_server_is_looked_at_again(
    server: ScriptedServer,
) -> None:
    bus = MemoryBus()
    watching = await begun(server, bus)
    bus.connected = False
    await watching.see()
    bus.connected = True
    await watching.begin(server)
    assert (await begun(server, bus, config_map(BROKEN))).finds() == ["Secret/shop/ca"]


async def test_what_a_bus_has_lost_is_kept_again_when_the_api_server_is_looked_at_again(
    server: ScriptedServer,
) -> None:
    bus = MemoryBus()
    watching = await begun(server, bus)
    await watching.see()
    watching.ruling.kept.bus = lost = MemoryBus()  # its server was started on an empty disk
    await watching.begin(server)
    assert (await begun(server, lost, config_map(BROKEN))).finds() == ["Secret/shop/ca"]


async def test_what_is_kept_and_cannot_be_read_is_as_if_nothing_were(server: ScriptedServer) -> None:
    bus = MemoryBus()
    await bus.publish(subjects.rules(LYON), b"{}", message_id="strange")
    watching = await begun(server, bus, config_map())
    assert watching.finds() == ["Secret/shop/ca"]


def test_what_may_carry_rules_is_wanted_whoever_knows_it_already() -> None:
    wants = Watching().ruling.wanting(lambda *_: False)
    assert wants(MINE, "u", "1")
    assert not wants(ResourceId("ConfigMap/shop/mine"), "u", "1")


async def test_at_the_start_all_pages_are_read_before_anything_else(server: ScriptedServer) -> None:
    watching = Watching()
    other = config_map(GOOD.replace("widget.secret", "widget.other"), "other")
    server.on(PATH, "list", page([config_map()], continue_="more"), page([other]))
    await watching.begin(server)
    await watching.begin(server)
    asked = await server.until_asked("list", 2, PATH)
    assert [one.params.get("labelSelector") for one in asked] == ["cheops.io/rules=true"] * 2
    assert watching.book.count == 2
    assert watching.finds() == ["Secret/shop/ca"]


async def test_rules_that_may_not_be_read_are_no_rules_that_are_not_there(server: ScriptedServer) -> None:
    watching = Watching()
    server.on(PATH, "list", status(403, "configmaps is forbidden"), page([config_map()]))
    with pytest.raises(TransientError, match="forbidden"):
        await watching.begin(server)
    await watching.begin(server)
    assert watching.finds() == ["Secret/shop/ca"]


async def test_config_maps_that_hold_rules_cannot_be_excluded() -> None:
    exclude = (KindId("ConfigMap"),)
    with pytest.raises(SettingsError, match="CHEOPS_EXCLUDE: ConfigMap"):
        await build(WatcherSettings(site="lyon", rules_namespace="cheops", exclude=exclude))


@pytest.mark.parametrize("name", ["Cheops", "a.b", "a/b", "-a", "a" * 64])
def test_a_name_that_no_namespace_can_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="rules_namespace"):
        WatcherSettings(site="lyon", rules_namespace=name)
