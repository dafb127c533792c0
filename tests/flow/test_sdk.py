"""The SDK as a program uses it: what the command line does, as values."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cheops import CheopsError, Intent, Mesh, Verdict, connect
from cheops.asking import NoSiteError, WrongQuestionError
from cheops.contexts import Context, Server
from cheops.demo.stage import MANIFESTS
from cheops.sandbox.testbed import Testbed
from schemas.documents import read_documents
from schemas.envelope import MessageError
from services.chassis.errors import BusUnavailableError, TransientError
from tests.kit.waiting import eventually

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
SHOP = tuple(one.body for one in read_documents(MANIFESTS / "shop.yaml"))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Testbed]:
    async with Testbed(tmp_path_factory.mktemp("sdk"), ("lyon", "oslo")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(bed: Testbed) -> AsyncIterator[Mesh]:
    """The shop at lyon, and oslo beside it."""
    async with connect(bed.context) as found:
        states = [progress async for progress in found.follow(await found.enter(Intent.apply(SHOP), site="lyon"))]
        assert states[-1].outcome is not None
        assert states[-1].outcome.state == "ready"

        async def known() -> bool:
            return bool((await found.why("ingress/shop", "secret/edge-ca", namespace="shop", site="lyon")).edges)

        await eventually(known, "lyon does not know why the Ingress needs the Secret", WAIT_S)
        yield found


async def test_a_denial_is_a_value_with_its_users_and_an_unused_thing_goes(mesh: Mesh) -> None:
    verdict = await mesh.submit(Intent.delete("secret/edge-ca", namespace="shop"), site="lyon")
    assert isinstance(verdict, Verdict)
    assert verdict.decision == "deny"
    users = {reason.resource for reason in verdict.reasons}
    assert users == {"apps/Deployment/shop/web", "apps/Deployment/shop/cart"}
    assert verdict.evidence[0].fresh
    allowed = await mesh.submit(Intent.delete("configmap/banner-2019", namespace="shop", scope="lyon"))
    assert allowed.decision == "allow"
    assert [step.action for step in allowed.plan] == ["delete"]


async def test_the_program_of_the_first_page_runs_as_it_stands(bed: Testbed, mesh: Mesh, tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "program.py").write_text(program)
    running = await asyncio.create_subprocess_exec(
        sys.executable, "program.py", cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "CHEOPS_CONTEXT": str(bed.context_file)},
    )  # fmt: skip
    assert running.stdout is not None
    try:
        async with asyncio.timeout(WAIT_S):
            assert await running.stdout.readline() == b"deny D310 D311\n"
            further = asyncio.ensure_future(running.stdout.readline())
            while not further.done():  # it listens a moment after it has said that
                await mesh.submit(Intent.read("secret/nobody", namespace="shop"), site="oslo")
                await asyncio.wait({further}, timeout=0.2)
        assert further.result().startswith(b"oslo read Secret shop/nobody @ oslo: ")
    finally:
        running.kill()
        await running.wait()


async def test_a_preview_stores_nothing(mesh: Mesh) -> None:
    draft = Intent.delete("secret/edge-ca", namespace="shop", cascade="dependents", preview=True)
    verdict = await mesh.submit(draft, site="lyon", intent_id="i-preview")
    assert (verdict.decision, verdict.preview) == ("allow", True)
    with pytest.raises(CheopsError, match="no intent 'i-preview' is known"):
        await mesh.show("i-preview")


async def test_verdicts_come_as_they_are_decided_and_stay_to_be_read(mesh: Mesh) -> None:
    stream = mesh.verdicts(decision="deny", site="oslo")
    first = asyncio.ensure_future(anext(stream))
    async with asyncio.timeout(WAIT_S):
        while not first.done():  # the subscription may begin a moment after the first denial
            denied = await mesh.submit(Intent.read("secret/nobody", namespace="shop"), site="oslo")
            await asyncio.wait({first}, timeout=1.0)
    assert (await first).decision == "deny"
    await stream.aclose()
    stored = [one async for one in mesh.verdicts(site="oslo", stored=True, follow=False)]
    assert denied.intent in {one.intent for one in stored}
    chain = await mesh.show(denied.intent)
    assert chain.intent is not None
    assert (chain.intent.verb, chain.verdicts) == ("read", (denied,))
    with pytest.raises(ValueError, match="decision 'denied'"):
        await anext(mesh.verdicts(decision="denied"))
    with pytest.raises(ValueError, match="code '310'"):
        await anext(mesh.alerts(code="310", follow=True))


async def test_the_tree_is_nodes_with_a_state_and_edges_with_a_field(mesh: Mesh) -> None:
    tree = await mesh.tree("deployment/web", namespace="shop", site="lyon", depth=1)
    states = {node.resource: (node.state, node.depth) for node in tree.nodes}
    assert states["Secret/shop/edge-ca"] == ("present", 1)
    assert states["Service/shop/web"] == ("present", -1)
    needs = await mesh.dependencies("deployment/web", namespace="shop", site="lyon")
    assert {edge.path for edge in needs.edges if edge.target == "Secret/shop/edge-ca"} == {
        "spec.template.spec.volumes[0].secret.secretName"
    }
    users = await mesh.dependents("secret/edge-ca", namespace="shop", site="lyon")
    assert users.direct_dependents == len({edge.source for edge in users.edges if edge.target == users.root})
    path = await mesh.why("ingress/shop", "secret/edge-ca", namespace="shop", site="lyon")
    assert [edge.target for edge in path.edges] == [
        "Service/shop/web",
        "apps/Deployment/shop/web",
        "Secret/shop/edge-ca",
    ]
    assert (await mesh.missing(site="lyon")).edges == ()


async def test_names_and_sites_are_there_to_be_listed(mesh: Mesh) -> None:
    assert {"deployment", "secret"} <= set((await mesh.names(site="lyon")).kinds)
    found = await mesh.names("deploy", prefix="w", namespace="shop", site="lyon")
    assert found.resources == ("apps/Deployment/shop/web",)
    assert [(status.site, status.state) for status in await mesh.sites()] == [("lyon", "fresh"), ("oslo", "fresh")]


async def test_alerts_of_a_quiet_mesh_are_none(mesh: Mesh) -> None:
    assert [alert async for alert in mesh.alerts(site="oslo")] == []


async def test_mistakes_are_exceptions_that_say_what_was_expected(mesh: Mesh) -> None:
    with pytest.raises(NoSiteError, match="which site"):
        await mesh.tree("deployment/web")
    with pytest.raises(NoSiteError, match="no site is called 'paris'"):
        await mesh.ensure_site((await mesh.enter(Intent.read("secret/x"), site="paris")).site)
    with pytest.raises(WrongQuestionError, match="no kind is called 'deplyment'"):
        await mesh.tree("deplyment/web", site="lyon")
    with pytest.raises(MessageError, match=r"^depth: "):
        await mesh.tree("deployment/web", site="lyon", depth=-1)
    with pytest.raises(MessageError, match=r"^direction: "):
        await mesh.tree("deployment/web", site="lyon", direction="up")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(MessageError, match="needs 'resources'"):
        await mesh.submit(Intent.delete(), site="lyon")
    with pytest.raises(NoSiteError, match=r"no site is called 'paris' \(there are lyon, oslo\)"):
        await mesh.tree("deployment/web", site="paris")


async def test_the_context_file_says_where_the_bus_is(
    bed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BusUnavailableError, match="start one: cheops sandbox up"):
        async with connect("nats://127.0.0.1:1"):
            pass
    (tmp_path / ".cheops").mkdir()
    (tmp_path / ".cheops" / "context.json").write_bytes(bed.context_file.read_bytes())
    async with connect(site="lyon") as found:
        assert (await found.names("namespace", prefix="sho")).resources == ("Namespace/shop",)
    with pytest.raises(TransientError, match="of site lyon there is no answer: the bus is closed"):
        await found.status("lyon")


async def test_no_user_of_a_site_was_refused_what_it_needs(bed: Testbed, mesh: Mesh) -> None:
    """After everything that the tests before have done; what each may not do is tested elsewhere."""
    refused = [
        line
        for site in bed.sites
        for line in (bed.buses.server(site).directory / "server.log").read_text().splitlines()
        if "Violation" in line
    ]
    assert refused == []


async def test_a_site_whose_server_is_gone_is_named_once_where_the_streams_of_all_are_read(bed: Testbed) -> None:
    here = bed.context.servers.get("lyon") or Server(nats_url=bed.context.nats_url, keys=bed.context.keys)
    context = Context(site="lyon", servers={"lyon": here, "oslo": Server(nats_url="nats://127.0.0.1:1")})
    said: list[str] = []
    async with connect(context) as mesh:
        mesh.on_unheard = lambda site, why: said.append(f"{site}: {why}")
        assert [one async for one in mesh.verdicts(stored=True, follow=False)]
        async for _ in mesh.alerts():
            pass
        with pytest.raises(CheopsError, match="no intent 'i-nobody' is known"):
            await mesh.show("i-nobody")
        assert set(mesh.unheard) == {"oslo"}
    assert len(said) == 1
    assert said[0].startswith("oslo: ")
    async with connect(context) as mesh:
        assert [one async for one in mesh.verdicts(site="lyon", stored=True, follow=False)]
        assert not mesh.unheard
