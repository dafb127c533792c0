"""A delete that a finalizer holds: fault 31. What uses it, and what it uses, stays protected until it is gone."""

from __future__ import annotations

import asyncio

import pytest

from cheops.drafts import Intent
from cheops.following import Progress
from tests.e2e.faults.world import LONG, LONGEST_S, LYON, WAIT_S, Sites, collection, secret, user_of
from tests.kit import oracles
from tests.kit.waiting import lasting

HELD_S = 600.0 if LONG else 10.0
FINALIZER = "example.org/held"

pytestmark = [pytest.mark.timeout(HELD_S + LONGEST_S), pytest.mark.faults]


async def test_fault_31_what_a_finalizer_holds_is_shown_as_terminating_and_its_dependents_stay_protected(
    sites: Sites,
) -> None:
    """A user that terminates is a user until it is gone; nothing new may rely on what terminates."""
    namespace = await sites.namespace("fault-31", LYON)
    held = {"metadata": {"name": "web", "finalizers": [FINALIZER]}}
    user, going = user_of("ca", "web") | held, secret("old") | {"metadata": {"name": "old", "finalizers": [FINALIZER]}}
    await sites.make(LYON, namespace, secret("ca"), going, user)
    for resource in ("Secret/{}/ca", "Secret/{}/old", "apps/Deployment/{}/web"):
        await sites.known(LYON, resource.format(namespace))
    deletes = [
        await sites.publish(Intent.delete(name, namespace=namespace), LYON) for name in ("deployment/web", "secret/old")
    ]
    for intent in deletes:
        chain = await sites.decided(intent.id, LYON, "allow", "deny", "defer")
        assert "N331" in {one.code for one in chain.verdicts[-1].reasons}, chain.verdicts[-1].summary
    for name, kind in (("web", "Deployment"), ("old", "Secret")):

        async def terminates(name: str = name, kind: str = kind) -> bool:
            found = await sites.apis[LYON].get(f"{collection(namespace, kind)}/{name}")
            return "deletionTimestamp" in found.content["metadata"]

        await oracles.eventually(terminates, lambda: "the API server was not asked")

    async def nothing_gives_way() -> None:
        used = await sites.mesh.submit(Intent.delete("secret/ca", namespace=namespace, preview=True), site=LYON)
        assert used.decision != "allow", used.summary  # it waits for the intent that deletes the user, or is denied
        assert {one.code for one in used.reasons if one.severity in ("deny", "defer")} <= {"D310", "D311", "F510"}
        draft = Intent.create([user_of("old", "late")], namespace=namespace, preview=True)
        late = await sites.mesh.submit(draft, site=LYON)
        assert late.decision != "allow", late.summary
        assert {one.code for one in late.reasons if one.severity in ("deny", "defer")} <= {"D111", "F510"}
        for intent in deletes:
            states = {one.state for one in (await sites.mesh.show(intent.id, site=LYON)).outcomes}
            assert "done" not in states, "what terminates is not gone"

    loop = asyncio.get_running_loop()
    until_s = loop.time() + HELD_S
    while loop.time() < until_s:
        await nothing_gives_way()
        await lasting(min(5.0, HELD_S / 5))  # how long it is held is what the fault says
    for name, kind in (("web", "Deployment"), ("old", "Secret")):
        released = {"metadata": {"finalizers": None}}
        reply = await sites.apis[LYON].patch(f"{collection(namespace, kind)}/{name}", released)
        assert reply.status == 200, reply.text
    for intent in deletes:
        await oracles.o5_carried_out(sites.mesh, intent.id, LYON)
        await oracles.o8_chained(sites.mesh, intent.id, LYON)
    await sites.known(LYON, f"apps/Deployment/{namespace}/web", there=False)
    async with asyncio.timeout(WAIT_S):
        gone: list[Progress] = await sites.follow(Intent.delete("secret/ca", namespace=namespace), LYON)
    assert gone[-1].verdict.decision == "allow", gone[-1].verdict.summary
    await sites.converged(LYON)
    await oracles.o3_nothing_broken(sites.mesh, LYON, namespace)
