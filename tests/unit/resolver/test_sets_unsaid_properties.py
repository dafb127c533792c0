"""Bundles with their namespace, whatever their scope says of it: each member of a set names all its sites."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.identity import ResourceId
from schemas.ties import PARTS, REPLICAS, sites_in
from tests.kit.examples import examples
from tests.unit.resolver.test_sets import body, do, words
from tests.unit.resolver.test_sets_unsaid import CA, MALL, WEB, ca, mall, user
from tests.unit.resolver.virtual_mesh import VirtualMesh

SITES = ("lyon", "oslo", "nice", "rome")
WHOLE = ("lyon", "lyon & oslo", "lyon & rome", "lyon & nice & rome", "lyon % oslo", "lyon*2 % rome")
SOME = ("deployment: lyon & oslo", "secret: lyon & nice", "deployment: lyon, secret: lyon & rome")
BUNDLES = {
    "all": (mall(), ca(), user(replicas=4)),
    "new keys": (mall(), ca("crt", "key"), user(replicas=4)),
    "secret": (mall(), ca()),
    "user": (mall(), user(replicas=4)),
}
WORK = st.tuples(st.sampled_from(WHOLE), st.sampled_from(SITES)) | st.tuples(st.sampled_from(SOME), st.just("lyon"))
ACTIONS = st.lists(st.tuples(WORK, st.sampled_from(sorted(BUNDLES))), min_size=1, max_size=4)


def check(mesh: VirtualMesh, resource: ResourceId) -> None:
    """Who has it is who is said to have it, by each."""
    there = {one for one in mesh.worlds if body(mesh, one, resource) is not None}
    for site in there:
        found = words(mesh, site, resource)
        assert {*sites_in(found.get(REPLICAS) or found.get(PARTS) or site)} == there, (resource, site, there, found)


@settings(max_examples=examples(40))
@example([(("lyon & rome", "rome"), "all"), (("lyon & oslo", "nice"), "all"), (("lyon % oslo", "nice"), "all")])
@given(ACTIONS)
def test_whatever_is_put_anywhere_each_member_of_a_set_names_all_its_sites(
    actions: list[tuple[tuple[str, str], str]],
) -> None:
    mesh = VirtualMesh(SITES)
    mesh.settle()
    assert do(mesh, "lyon", "apply", "lyon & nice", "i-0", manifests=BUNDLES["all"]).decision == "allow"
    for place, ((scope, entry), what) in enumerate(actions):
        held = {one for one in SITES if body(mesh, one, MALL)}
        verdict = do(mesh, entry, "apply", scope, f"i-{place + 1}", manifests=BUNDLES[what])
        codes = {one.code for one in verdict.reasons if one.severity == "deny"}
        assert codes <= {"D600", "D310", "D311", "D620", "D110", "D113"}, verdict.summary
        for resource in (MALL, CA, WEB):
            check(mesh, resource)
        assert held <= {one for one in SITES if body(mesh, one, MALL)}, "nobody has said that it goes"
