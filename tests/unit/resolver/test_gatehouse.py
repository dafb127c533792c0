"""HTTPS before the gate: what is answered, what is refused, and which settings cannot be used."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from cheops.topology.certificates import Authority
from services.chassis.errors import SettingsError
from services.resolver.gate import Gate
from services.resolver.gatehouse import open_gate
from tests.kit.manifests import namespace, service
from tests.kit.ports import free_ports
from tests.unit.resolver.sketches import LYON
from tests.unit.resolver.test_gate import PERSON, USED, WEB, Site, annotated, review
from tests.unit.resolver.test_gate_scales import scale_of

HOST = "127.0.0.1"


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    Authority(tmp_path).certify(tmp_path / "gate", HOST)
    return tmp_path / "gate" / "tls"


@pytest.fixture
async def url(certificates: Path) -> AsyncIterator[str]:
    site = Site(namespace(), USED, WEB)
    (port,) = free_ports(1)
    async with open_gate(LYON, site.gate, lambda: site.moment, HOST, port, certificates):
        yield f"https://{HOST}:{port}"


@pytest.fixture
async def session(certificates: Path) -> AsyncIterator[aiohttp.ClientSession]:
    trust = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as made:
        yield made


async def test_a_review_is_answered_and_a_refusal_is_logged_without_what_the_object_holds(
    url: str, session: aiohttp.ClientSession
) -> None:
    with capture_logs() as logs:
        async with session.post(f"{url}/?timeout=2s", data=review("DELETE", USED, None, PERSON)) as answer:
            assert (answer.status, answer.content_type) == (200, "application/json")
            response = json.loads(await answer.read())["response"]
    assert (response["allowed"], response["status"]["code"]) == (False, 403)
    (refused,) = (one for one in logs if one["event"] == "refused at the gate")
    assert refused["why"] == "delete Secret shop/ca @ lyon: still used by 1 resource"
    assert refused["user"] == PERSON


async def test_whoever_overrides_the_gate_is_logged_with_what_was_let_pass_and_a_dry_run_is_not(
    url: str, session: aiohttp.ClientSession
) -> None:
    overridden = annotated(USED, override="D310")
    with capture_logs() as logs:
        for more in ({"dryRun": True}, {}):
            async with session.post(f"{url}/", data=review("DELETE", overridden, None, PERSON, **more)) as answer:
                assert json.loads(await answer.read())["response"]["allowed"]
    (passed,) = logs
    said = {name: passed[name] for name in ("event", "user", "asked", "codes")}
    asked = "delete Secret shop/ca"
    assert said == {"event": "passed by an override", "user": PERSON, "asked": asked, "codes": ("D310",)}


async def test_whoever_overrides_the_gate_by_a_scale_is_logged_with_whose_it_is(
    certificates: Path, session: aiohttp.ClientSession
) -> None:
    overridden = annotated(WEB, override="D210")
    site = Site(namespace(), overridden, service("web", "web"))
    (port,) = free_ports(1)
    asked = {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "subResource": "scale"}
    payload = review("UPDATE", scale_of(WEB, 0), scale_of(WEB, 1), PERSON, **asked)
    async with open_gate(LYON, site.gate, lambda: site.moment, HOST, port, certificates):
        with capture_logs() as logs:
            async with session.post(f"https://{HOST}:{port}/", data=payload) as answer:
                assert json.loads(await answer.read())["response"]["allowed"]
    (passed,) = (one for one in logs if one["event"] == "passed by an override")
    assert (passed["asked"], passed["codes"]) == ("update deployments/scale shop/web", ("D210",))


async def test_what_is_no_review_gets_400_and_who_only_looks_whether_it_is_open_gets_200(
    url: str, session: aiohttp.ClientSession
) -> None:
    async with session.post(url, data=b"{}") as answer:
        assert (answer.status, "expected an AdmissionReview" in await answer.text()) == (400, True)
    async with session.get(f"{url}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_a_certificate_that_is_replaced_counts_from_the_next_connection_on_and_what_is_none_changes_nothing(
    certificates: Path, tmp_path: Path, url: str
) -> None:
    Authority(tmp_path / "another").certify(tmp_path / "renewed", HOST)
    old, new = certificates / "ca.pem", tmp_path / "renewed" / "tls" / "ca.pem"
    assert await is_trusted(url, old)
    for file in ("cert.pem", "key.pem"):
        (tmp_path / "renewed" / "tls" / file).replace(certificates / file)
        assert await is_trusted(url, old) == (file == "cert.pem"), "half of a pair is none"
    assert await is_trusted(url, new)
    (certificates / "key.pem").write_text("no key")
    with capture_logs() as logs:
        assert await is_trusted(url, new)
        assert await is_trusted(url, new)
    assert [one["log_level"] for one in logs] == ["warning"], "said once"
    (certificates / "key.pem").unlink()
    assert await is_trusted(url, new)


async def is_trusted(url: str, authority: Path) -> bool:
    """By who connects anew."""
    trust = ssl.create_default_context(cafile=str(authority))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as made:
        try:
            async with made.get(f"{url}/healthz") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectorCertificateError:
            return False


async def test_nobody_is_answered_without_encryption(url: str) -> None:
    async with aiohttp.ClientSession() as plain:
        with pytest.raises(aiohttp.ClientError):
            await plain.get(url.replace("https", "http"))


@pytest.mark.parametrize(
    ("host", "lies", "reason"),
    [
        (HOST, None, r"CHEOPS_GATE_CERTIFICATES: not set \(expected a folder with cert\.pem and key\.pem\)"),
        (HOST, "nothing", r"CHEOPS_GATE_CERTIFICATES: .*/nothing/cert\.pem, key\.pem: cannot be used"),
        ("203.0.113.7", "gate/tls", r"CHEOPS_GATE_PORT: 203\.0\.113\.7:\d+ cannot be taken"),
    ],
)
async def test_settings_that_cannot_be_used_are_named(
    certificates: Path, tmp_path: Path, host: str, lies: str | None, reason: str
) -> None:
    site = Site()
    (port,) = free_ports(1)
    folder = None if lies is None else tmp_path / lies
    with pytest.raises(SettingsError, match=reason):
        async with open_gate(LYON, Gate(site.machine.desk), lambda: site.moment, host, port, folder):
            pass
