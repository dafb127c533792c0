"""Any sequence of scoped intents, cuts, kills and changes past us: each site says what drifted, and heal repairs it."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceId
from services.chassis.kubernetes.declaration import drift_of
from tests.kit.examples import examples
from tests.kit.manifests import secret
from tests.unit.resolver.test_sets_properties import ACTIONS, LOAD, NEW, SAID, SITE, SITES, act, found, word
from tests.unit.resolver.virtual_mesh import VirtualMesh

Action = tuple[str, str, str, int]
PAST_US = st.one_of(
    st.tuples(st.just("write"), SITE, st.sampled_from((NEW, LOAD)), st.integers(0, 9)),
    st.tuples(st.just("strip"), SITE, st.sampled_from((NEW, LOAD)), st.just(0)),
    st.tuples(st.just("wipe"), SITE, st.sampled_from((NEW, LOAD)), st.just(0)),
    st.tuples(st.just("heal"), SITE, st.sampled_from((NEW, LOAD)), st.just(0)),
)


def past_us(mesh: VirtualMesh, place: int, action: Action) -> None:
    """Somebody at one site, with plain kubectl; or the repair of it."""
    what, site, name, number = action
    world, resource = mesh[site], ResourceId(name)
    if what == "heal":
        heal(mesh, site, resource, f"i-{place}")
    elif resource not in world.cluster.objects:
        return
    elif what == "wipe":
        world.wipe(resource)
    elif what == "strip":
        world.edit(resource, "metadata", "labels")
    elif resource == NEW:
        world.edit(resource, "data", "a", value=f"{number}A==")
    else:
        world.edit(resource, "spec", "replicas", value=number)
    mesh.pump()
    mesh.settle(3)


def heal(mesh: VirtualMesh, site: str, resource: ResourceId, name: str) -> None:
    mesh.enter(site, "apply", "", name, resources=(resource,), heal=True, on_failure="continue")
    mesh.pump()


def raised(mesh: VirtualMesh, site: str) -> set[ResourceId]:
    """What a site says has drifted."""
    last = {one.id: one for one in mesh[site].alerts if one.code == "A507"}
    return {one.resource for one in last.values() if one.state == "raised" and one.resource is not None}


def excused(mesh: VirtualMesh, resource: ResourceId) -> bool:
    """An update of it did not work everywhere, and that is said; or something is still open."""
    alerts = [one for world in mesh.worlds.values() for one in world.alerts if one.code in ("A504", "A506")]
    latest = [one for world in mesh.worlds.values() for one in world.latest().values() if resource in one.targets]
    is_open = any(reason.code in SAID for one in latest for reason in one.reasons)
    return is_open or any(one.resource == resource for one in alerts)


def drifted(mesh: VirtualMesh, site: str) -> set[ResourceId]:
    """What has, by what stands on the objects."""
    return {one for one, body in mesh[site].cluster.objects.items() if drift_of(body)}


@settings(max_examples=examples(40))
@example([("apply", "lyon", "lyon & oslo", 1), ("write", "oslo", NEW, 3), ("cut", "oslo", "", 0)])
@example([("divide", "lyon", "lyon % oslo", 4), ("wipe", "oslo", LOAD, 0), ("kill", "oslo", "", 0)])
@given(st.lists(st.one_of(ACTIONS, PAST_US), min_size=2, max_size=8))
def test_each_site_says_what_drifted_there_and_heal_makes_it_what_was_declared(actions: list[Action]) -> None:
    mesh = VirtualMesh(SITES)
    for world in mesh.worlds.values():
        world.cluster.put(secret("foreign"))
    mesh.settle()
    for place, action in enumerate(actions):
        (past_us if action[0] in ("write", "strip", "wipe", "heal") else act)(mesh, place, action)
    mesh.mend()
    mesh.settle(90, 2.0)
    for site in SITES:
        there = {one for one in raised(mesh, site) if one in mesh[site].cluster.objects}
        assert drifted(mesh, site) <= there, (site, drifted(mesh, site), there)
    for place, resource in enumerate((NEW, LOAD)):
        if found(mesh, resource):
            heal(mesh, SITES[place], resource, f"i-last-{place}")
    mesh.settle(90, 2.0)
    for place, resource in enumerate((NEW, LOAD)):
        last = mesh[SITES[place]].latest().get(f"i-last-{place}")
        if last is None or last.decision != "allow" or excused(mesh, resource):
            continue
        bodies = found(mesh, resource)
        members = {name: one for name, one in bodies.items() if word(one, "cheops.io/declared")}
        assert all(not drift_of(one) for one in members.values()), (resource, members)
        assert not any(resource in raised(mesh, name) for name in members), (resource, members)
