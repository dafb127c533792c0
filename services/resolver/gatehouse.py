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
    context = _Certificate(site, certificates).context
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


class _Certificate:
    """An API server speaks to a webhook by TLS only. Files that were replaced count from the next connection on."""

    def __init__(self, site: SiteName, folder: Path | None) -> None:
        if folder is None:
            raise SettingsError("CHEOPS_GATE_CERTIFICATES: not set (expected a folder with cert.pem and key.pem)")
        self._site, self._files = site, (folder / "cert.pem", folder / "key.pem")
        self._seen = self._stamps()
        try:
            self.context = self._read = self._made()
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"CHEOPS_GATE_CERTIFICATES: {folder}/cert.pem, key.pem: cannot be used ({error})"
            ) from error
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _listening: ssl.SSLContext) -> None:
        stamps = self._stamps()
        if stamps != self._seen:
            self._seen = stamps
            try:
                self._read = self._made()
                log.info("the gate's certificate was read again", site=self._site)
            except (OSError, ssl.SSLError) as error:  # one of the two is not written yet, or they are no pair
                log.warning(
                    "the gate keeps its certificate: the new one cannot be used", site=self._site, why=str(error)
                )
        connection.context = self._read

    def _made(self) -> ssl.SSLContext:
        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.load_cert_chain(*self._files)
        return made

    def _stamps(self) -> list[tuple[int, int] | None]:
        return [_stamp(file) for file in self._files]


def _stamp(file: Path) -> tuple[int, int] | None:
    """Another one when it was written or replaced; None while it is not there."""
    try:
        there = file.stat()
    except OSError:
        return None
    return there.st_mtime_ns, there.st_ino
