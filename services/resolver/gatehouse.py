"""HTTPS before the gate: the API server of the site asks here, and is answered within the step that its question takes.

POST /          an AdmissionReview
GET  /healthz   200
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from schemas.identity import SiteName
from services.chassis import metrics
from services.chassis.errors import SettingsError
from services.resolver.gate import Gate
from services.resolver.reviews import BadReviewError, Request, metadata_of
from services.resolver.signals import Moment

BYTES_MAX: Final = 16 * 1024 * 1024  # an object, what it was, and both written as a managed field
STOP_S: Final = 2.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_gate(
    site: SiteName, gate: Gate, now: Callable[[], Moment], host: str, port: int, certificates: Path | None
) -> AsyncIterator[None]:
    """Answer while the context lasts. Raises SettingsError for certificates or an address that cannot be used."""

    async def review(asked: web.Request) -> web.Response:
        try:
            body, request, said = gate.answer(await asked.read(), now())
        except BadReviewError as error:
            return web.Response(status=400, text=f"{error}\n")
        answer = "passed" if not said.judged else "allowed" if said.allowed else "refused"
        metrics.GATE_ANSWERS.labels(site, answer).inc()
        user = request.user_info.username
        if said.message:
            what = "would be refused at the gate" if said.allowed else "refused at the gate"
            log.info(what, site=site, user=user, why=said.message.partition("\n")[0])
        elif said.overridden and not request.dry_run:
            log.warning("passed by an override", site=site, user=user, asked=_what(request), codes=said.overridden)
        return web.Response(body=body, content_type="application/json")

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    application = web.Application(client_max_size=BYTES_MAX)
    application.add_routes([web.post("/", review), web.get("/healthz", healthy)])
    context = _context(certificates)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=STOP_S)
    await runner.setup()
    try:
        await _listen(runner, host, port, context)
        log.info("the gate is open", site=site, address=f"https://{host}:{port}/")
        yield
    finally:
        await runner.cleanup()


def _what(request: Request) -> str:
    """For a line of the log; each object of a collection is named by itself only."""
    name = request.name or metadata_of(request.old_object or request.object).get("name", "")
    kind = f"{request.resource.resource}/{request.sub_resource}" if request.sub_resource else request.kind.kind
    return f"{request.operation.lower()} {kind} {'/'.join(filter(None, (request.namespace, name)))}"


async def _listen(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext) -> None:
    try:
        await web.TCPSite(runner, host, port, ssl_context=context, reuse_port=True).start()
    except OSError as error:
        raise SettingsError(f"CHEOPS_GATE_PORT: {host}:{port} cannot be taken ({error.strerror})") from error


def _context(folder: Path | None) -> ssl.SSLContext:
    """An API server speaks to a webhook by TLS only."""
    if folder is None:
        raise SettingsError("CHEOPS_GATE_CERTIFICATES: not set (expected a folder with cert.pem and key.pem)")
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"CHEOPS_GATE_CERTIFICATES: {folder}/cert.pem, key.pem: cannot be used ({error})"
        ) from error
    return made
