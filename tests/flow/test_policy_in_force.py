"""A policy file in force at a live site: what it loosens, whom it lets override, and that the verdict says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cheops.drafts import Intent
from cheops.mesh import Mesh, connect, requester_name
from cheops.sandbox.testbed import Testbed
from schemas.identity import SiteName
from schemas.policy import load_policy
from services.resolver.judge.policy import Policy

LYON = SiteName("lyon")
REASON = "the certificate is rotated tonight, change 4711"


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path / "bed", [LYON], layout="apart") as made:
        yield made


def _user_of(secret: str, how: str) -> dict[str, Any]:
    source = {"valueFrom": {"secretKeyRef": {"name": secret, "key": "k"}}}
    pod: dict[str, Any] = {"containers": [{"name": "c", "image": "i"}]}
    if how == "mounts":
        pod["volumes"] = [{"name": "v", "secret": {"secretName": secret}}]
    else:
        pod["containers"][0]["env"] = [{"name": "E", **source}]
    labels = {"app": f"{how}-{secret}"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{how}-{secret}"}, "spec": spec}


def _secret(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"k": "eA=="}}


async def _in_use(mesh: Mesh) -> None:
    bundle = [_secret("mounted"), _user_of("mounted", "mounts"), _secret("read"), _user_of("read", "reads")]
    intent = await mesh.enter(Intent.apply(bundle, namespace="default"), site=LYON)
    async for _ in mesh.follow(intent):
        pass


async def test_a_policy_loosens_one_number_and_lets_those_it_names_override_another(
    bed: Testbed, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    rule = {"code": "311", "set": "warn", "namespaces": ["default"], "reason": "nothing restarts by itself here"}
    policy.write_text(yaml.safe_dump({"schema": "policy/v1", "overriders": [requester_name()], "rules": [rule]}))
    digest = Policy(load_policy(policy)).digest
    async with connect(bed.context) as mesh:
        await _in_use(mesh)
        delete = Intent.delete("secret/mounted", namespace="default", overrides={"D310": REASON}, preview=True)
        strict = await mesh.submit(delete, site=LYON)
        assert (strict.decision, [one.code for one in strict.reasons], strict.policy) == ("deny", ["D011"], "default")
        bed.sites[LYON].services["resolver"].kill()
        await bed.start_service(LYON, "resolver", {"CHEOPS_POLICY": str(policy)})
        await bed.wait_fresh()
        loosened = await mesh.submit(Intent.delete("secret/read", namespace="default", preview=True), site=LYON)
        assert (loosened.decision, loosened.policy) == ("allow", digest)
        assert {one.code for one in loosened.reasons} == {"W311"}
        refused = await mesh.submit(Intent.delete("secret/mounted", namespace="default", preview=True), site=LYON)
        assert (refused.decision, {one.code for one in refused.reasons}) == ("deny", {"D310"})
        overridden = await mesh.submit(
            Intent.delete("secret/mounted", namespace="default", overrides={"D310": REASON}), site=LYON
        )
        assert (overridden.decision, {one.code for one in overridden.reasons}) == ("allow", {"W310"})
        assert REASON in overridden.reasons[0].message
        chain = await mesh.show(overridden.intent)
        assert chain.intent is not None
        assert [(one.code, one.reason) for one in chain.intent.overrides] == [("D310", REASON)]
        replay = await mesh.replay(overridden.intent, policy=Policy(load_policy(policy)))
        assert replay.same


async def test_a_bad_policy_file_stops_the_resolver_with_file_line_and_field(bed: Testbed, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("schema: policy/v1\nrules:\n- {code: 999, set: warn}\n")
    resolver = bed.sites[LYON].services["resolver"]
    resolver.kill()
    await bed.start_service(LYON, "resolver", {"CHEOPS_POLICY": str(policy)})
    child = bed.sites[LYON].services["resolver"]
    with pytest.raises(Exception, match=r"exited with 2"):
        await child.wait_ready(_never, 30.0)
    assert "policy.yaml:3: rules.0.code: no finding has the number 999" in child.log_tail()


async def _never() -> bool:
    return False
