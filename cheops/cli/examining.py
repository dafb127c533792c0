"""What is wrong with my set-up? Each finding is a line, good or with what to do."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cheops.cli.render.sites import NO_EXECUTOR, UNSTORED, span
from cheops.contexts import Context, load_context
from schemas import compiled
from schemas.counting import counted
from schemas.identity import SiteName
from schemas.queries import PeerLink, SiteStatus
from services.chassis.errors import CheopsError, SettingsError

if TYPE_CHECKING:
    from cheops.mesh import Mesh
    from schemas.alerts import Alert

Finding = tuple[bool, str]
OF_THE_SET_UP: Final = {  # alerts, and what to do
    "A505": "cheops rules check FILE",
    "A510": "stop whoever shows it",
    "A511": "take down what runs there, or take it out of CHEOPS_GONE",
}
CLOCKS_APART_S: Final = 30.0  # answers are a few seconds old when they are read
OTHERWISE: Final = (
    "its watcher and its resolver are of two versions of Cheops, or read other rules"
    " (all services of a site need the same version and the same CHEOPS_RULES)"
)


def examine(server: str | None) -> list[Finding]:
    """Python, packages, context, bus, sites."""
    findings = [_python(), _compiled(), *_programs()]
    try:
        context = load_context(server)
    except SettingsError as error:
        return [*findings, (False, str(error))]
    findings.append((True, f"context: bus {context.where}, from {context.origin}"))
    return [*findings, *asyncio.run(mesh_findings(context))]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return sys.version_info >= (3, 11), f"Python {found} (expected 3.11 or later)"


def _compiled() -> Finding:
    """Code that was built and cannot be used is worth a look; none at all is as good."""
    found = compiled.found()
    good = found.state not in ("of other sources", "cannot be loaded")
    remedy = "" if good else " (make compiled, or remove .compiled)"
    return good, f"extraction, telling, graph and judge run as {found}{remedy}"


def _programs() -> list[Finding]:
    server = Path(sys.executable).parent / "nats-server"
    findings = [
        (
            server.exists(),
            f"nats-server {'is' if server.exists() else 'is not'} installed beside Python (extra: sandbox)",
        )
    ]
    kubeconfig = os.environ.get("KUBECONFIG")
    if kubeconfig:
        there = all(Path(part).is_file() for part in kubeconfig.split(os.pathsep) if part)
        findings.append((there, f"KUBECONFIG={kubeconfig} {'is there' if there else 'names a file that is not there'}"))
    return findings


async def _servers(context: Context) -> list[Finding]:
    """Each site's own, or the one that they share."""
    from cheops.lines import Lines

    if not context.servers:
        return []
    findings: list[Finding] = []
    lines = Lines(context)
    try:
        for name, server in sorted(context.servers.items()):
            try:
                await lines.to(SiteName(name))
                findings.append((True, f"bus of {name} answers at {server.nats_url}"))
            except CheopsError as error:
                findings.append((False, f"bus of {name}: {error}"))
    finally:
        await lines.close()
    return findings


async def mesh_findings(context: Context) -> list[Finding]:
    """Of bus, sites and links, and what their resolvers have raised about the set-up."""
    from cheops.mesh import connect
    from cheops.overview import overview
    from services.chassis import logs

    logs.configure("warning", cached=False)  # what the bus complains of is no finding
    try:
        findings = await _servers(context)
        async with connect(context) as mesh:
            known = await overview(mesh)
            codes = OF_THE_SET_UP if known.sites else ()  # without a site the bus may have no streams yet
            raised = [one for code in codes for one in await _raised(mesh, code)]
        findings = findings or [(True, f"bus answers at {context.where}")]
    except CheopsError as error:
        return [(False, f"bus: {error}")]
    found = known.sites
    there = {*(one.site for one in found), *known.silent}
    if there and context.site and context.site not in there:
        names = ", ".join(sorted(there))
        findings.append((False, f"no site is called {context.site!r} (there are {names}; set CHEOPS_SITE)"))
    if not found and not context.sites:
        findings.append((False, "no resolver answers (start one: cheops serve site, or cheops sandbox up)"))
    for name in known.silent:
        findings.append((False, f"site {name}: its resolver does not answer (cheops serve resolver)"))
    findings += [_link(one.site, peer) for one in known.links for peer in one.peers]
    for status in found:
        if status.unstored:
            findings.append((False, f"site {status.site}: {status.unstored}; {UNSTORED}"))
        elif status.state == "fresh":
            findings.append((True, f"site {status.site}: fresh, {counted(status.resources, 'resource')}"))
        else:
            findings.append(
                (False, f"site {status.site}: {status.state}; is its watcher running? (cheops serve watcher)")
            )
        findings += [(False, f"site {status.site}: {what}") for what in of_the_services(status, datetime.now(UTC))]
        if status.reads_otherwise:
            findings.append((False, f"site {status.site}: {OTHERWISE}"))
        findings += [
            (False, f"site {status.site}: {kind} is not observed: {why}") for kind, why in status.blind.items()
        ]
    findings += [(False, f"{one.message} ({OF_THE_SET_UP[one.code]})") for one in raised]
    return findings


def of_the_services(status: SiteStatus, now: datetime) -> list[str]:
    """That nobody carries out what is allowed, and clocks that differ; `now`: this machine's."""
    found = [] if not status.executor_silent else [f"{NO_EXECUTOR} (cheops serve executor)"]
    ahead_s = (status.at - now).total_seconds() if status.at is not None else 0.0
    for whose, than, by_s in (
        ("its resolver", "this machine", ahead_s),
        ("its executor", "its resolver", status.executor_ahead_s or 0.0),
    ):
        if abs(by_s) > CLOCKS_APART_S:
            apart = f"{span(abs(by_s))} {'ahead of' if by_s > 0 else 'behind'} the clock of {than}"
            found.append(f"the clock of {whose} is {apart} (set them: intents and operations expire by the clock)")
    return found


async def _raised(mesh: Mesh, code: str) -> list[Alert]:
    """Of the last seven days, and not healed."""
    last = {one.id: one async for one in mesh.alerts(code=code)}
    return [one for _, one in sorted(last.items()) if one.state == "raised"]


def _link(site: str, peer: PeerLink) -> Finding:
    count = peer.outbox.count
    waiting = f"; {counted(count, 'message')} {'waits' if count == 1 else 'wait'}" if count else ""
    return peer.state in ("up", "gone"), f"link {site} to {peer.site}: {peer.state}{waiting}"
