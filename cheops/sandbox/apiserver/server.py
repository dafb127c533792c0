"""HTTP → verb → answer. One handler for every path: the API's paths are data, not routes.

token → discovery or resource → faults → verb of service.py / list / watch → bytes
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from cheops.sandbox.apiserver import discovery, openapi, service
from cheops.sandbox.apiserver.faults import Faults, error_line
from cheops.sandbox.apiserver.listing import Page, list_page, page_bytes
from cheops.sandbox.apiserver.options import is_watch, read_options
from cheops.sandbox.apiserver.presenting import object_bytes
from cheops.sandbox.apiserver.realm import Realm
from cheops.sandbox.apiserver.statuses import (
    StatusError,
    internal,
    method_not_allowed,
    no_kubelet,
    too_large_body,
    unauthorized,
)
from cheops.sandbox.apiserver.store import HistoryLostError, Stored, encode
from cheops.sandbox.apiserver.tables import table_of, wants_table
from cheops.sandbox.apiserver.targets import Target, find_target, split_path
from cheops.sandbox.apiserver.version import VERSION
from cheops.sandbox.apiserver.watching import Watch, serve_watch, too_old

log = structlog.get_logger(__name__)

JSON = "application/json"
OF_KUBELETS = ("attach", "exec", "log", "portforward")
BODY_BYTES_MAX = 3 * 1024 * 1024  # as the real server
HEALTH_PATHS = ("/healthz", "/livez", "/readyz")

VERBS: dict[str, Callable[[Realm, service.Request], Awaitable[service.Answer]]] = {
    "create": service.create,
    "update": service.update,
    "patch": service.patch,
    "delete": service.delete,
    "deletecollection": service.delete_collection,
}
VERB_OF = {  # method → verb on an object, verb on a collection
    "GET": ("get", "list"),
    "POST": ("", "create"),
    "PUT": ("update", ""),
    "PATCH": ("patch", ""),
    "DELETE": ("delete", "deletecollection"),
}


class ApiServer:
    """`handle` answers every request."""

    def __init__(self, realm: Realm, faults: Faults, token: str, bookmark_interval_s: float) -> None:
        self._realm, self._faults = realm, faults
        self._token = token
        self._bookmark_interval_s = bookmark_interval_s

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self._check_token(request)
            return self._discover(request) or await self._serve(request)
        except StatusError as error:
            return _refusal(error)
        except Exception as error:
            log.exception("request failed", method=request.method, path=request.path)
            return _refusal(internal(f"{type(error).__name__}: {error}"))

    def _check_token(self, request: web.BaseRequest) -> None:
        if self._token and request.headers.get("Authorization") != f"Bearer {self._token}":
            raise unauthorized()

    def _discover(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a path that is not about resources, None when it is."""
        path, registry = request.path.rstrip("/"), self._realm.registry
        is_aggregated = discovery.wants_aggregated(request.headers.get("Accept", ""))
        if path in HEALTH_PATHS:
            return web.Response(text="ok")
        if path == "/version":
            return _json(VERSION)
        if path == "/openapi/v2":
            return web.Response(body=openapi.V2_EMPTY, headers={"Content-Type": openapi.V2_TYPE})
        if path == "/openapi/v3":
            return _json(openapi.index(self._realm))
        if path.startswith(openapi.PREFIX):
            found = openapi.document(self._realm, path.removeprefix(openapi.PREFIX))
            return _json(found) if found is not None else None
        if path in ("/api", "/apis") and is_aggregated:
            content = discovery.aggregated(registry, core=path == "/api")
            return _json(content, content_type=discovery.AGGREGATED_TYPE)
        if path == "/api":
            return _json(discovery.core_versions(registry))
        if path == "/apis":
            return _json(discovery.group_list(registry))
        parts = path.split("/")[1:]
        found = None
        if parts[0] == "apis" and len(parts) == 2:
            found = discovery.one_group(registry, parts[1])
        elif parts[0] in ("api", "apis") and len(parts) == (2 if parts[0] == "api" else 3):
            group = "" if parts[0] == "api" else parts[1]
            found = discovery.resource_list(registry, group, parts[-1])
        return _json(found) if found is not None else None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = split_path(request.path)
        if path is None or not self._realm.registry.has_version(path.group, path.version):
            return web.Response(status=404, text="404 page not found\n")
        target = find_target(self._realm.registry, path)
        verb = _verb(request, target)
        self._faults.check(target.kind.plural, verb)
        if verb == "watch":
            return await self._watch(request, target)
        if verb == "list":
            page = list_page(self._realm.store, target, read_options(target, request.query))
            return _answer(request, target, service.Answer(page))
        if target.subresource in OF_KUBELETS:
            raise no_kubelet(target.subresource)
        asked = service.Request(
            target,
            request.query,
            await _body(request),
            request.headers.get("Content-Type", ""),
            request.headers.get("User-Agent", ""),
        )
        answer = service.get(self._realm, asked) if verb == "get" else await VERBS[verb](self._realm, asked)
        return _answer(request, target, answer)

    async def _watch(self, request: web.BaseRequest, target: Target) -> web.StreamResponse:
        options = read_options(target, request.query)
        show = _table_row(request, target) if wants_table(request.headers.get("Accept", "")) else None
        try:
            watch = Watch(self._realm.store, target, options, self._bookmark_interval_s, show)
        except HistoryLostError as error:
            return web.Response(body=error_line(too_old(error)), content_type=JSON)
        return await serve_watch(request, self._faults, watch, options.timeout_s)


async def _body(request: web.BaseRequest) -> bytes:
    try:
        return await request.clone(client_max_size=BODY_BYTES_MAX).read()
    except web.HTTPRequestEntityTooLarge as error:
        raise too_large_body(BODY_BYTES_MAX) from error


def _table_row(request: web.BaseRequest, target: Target) -> Callable[[Stored], bytes]:
    include = request.query.get("includeObject", "")
    return lambda stored: encode(table_of(target.kind, stored, include))


def _verb(request: web.BaseRequest, target: Target) -> str:
    on_object, on_collection = VERB_OF.get(request.method, ("", ""))
    verb = on_object if target.name else on_collection
    if request.method == "POST" and target.subresource:
        verb = "create"
    if verb in ("get", "list") and is_watch(request.query):
        verb = "watch"
    if not verb or (not target.subresource and verb not in target.kind.verbs):
        raise method_not_allowed()
    if verb in ("create", "deletecollection") and target.kind.namespaced and not target.namespace:
        raise method_not_allowed()
    return verb


def _answer(request: web.BaseRequest, target: Target, answer: service.Answer) -> web.Response:
    content = answer.content
    if isinstance(content, Stored | Page) and wants_table(request.headers.get("Accept", "")):
        body = encode(table_of(target.kind, content, request.query.get("includeObject", "")))
    elif isinstance(content, Stored):
        body = object_bytes(target.kind, content)
    elif isinstance(content, Page):
        body = page_bytes(target.kind, content)
    else:
        body = encode(content)
    response = web.Response(body=body, status=answer.code, content_type=JSON)
    for warning in answer.warnings:
        response.headers.add("Warning", f'299 - "{_escaped(warning)}"')
    return response


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _refusal(error: StatusError) -> web.Response:
    response = _json(error.body(), error.code)
    if (retry_after_s := (error.details or {}).get("retryAfterSeconds")) is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _json(content: object, code: int = 200, content_type: str = JSON) -> web.Response:
    return web.Response(body=encode(content), status=code, headers={"Content-Type": content_type})
