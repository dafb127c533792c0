"""kubeconfig or service account → where the API server is, and how to prove who we are.

    connection = await connect(kubeconfig, context)
    aiohttp.TCPConnector(ssl=connection.ssl_context or False)
    session.get(connection.base_url + path, headers=await connection.headers())
    await connection.renew(seen)          # after a 401: everything is read again, once for all who saw it

What is read again every minute is read in passing: an exec plugin may take its time, or fail, and what we have holds
until it is refused.

The `kubernetes` package reads the configuration (client certificates, tokens, exec plugins, OIDC, in-cluster). It has
three habits that are corrected here: an exec plugin that fails is only logged, a token file keeps its line break,
and a user-less context with TLS ends in a TypeError.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, incluster_config, kube_config

from services.chassis.errors import SettingsError, TransientError

RENEW_S: Final = 60.0  # bound tokens live for an hour and are rewritten at 80 %; client-go reads them every minute
LOAD_TIMEOUT_S: Final = 60.0  # an exec plugin may ask a cloud
DEFAULT_KUBECONFIG: Final = "~/.kube/config"
ANONYMOUS: Final = "cheops-nobody"
_files: Any = kube_config  # the package ships no annotations
_pod: Any = incluster_config
log = structlog.get_logger(__name__)


def _tells_something(record: logging.LogRecord) -> bool:
    """An encrypted watch that is closed here, while the API server still speaks, is no failure, as uvloop thinks."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and "the handler is closed" in str(error))


logging.getLogger("asyncio").addFilter(_tells_something)


class Connection:
    """Address, TLS and authorisation of one API server; `generation` grows with every renewal."""

    def __init__(self, load: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._load, self._clock = load, clock
        self._loading: asyncio.Task[None] | None = None
        self._configuration: Any = None
        self._token, self._is_somebody = "", False
        self._due_at_s = 0.0
        self.generation = 0
        self.ssl_context: ssl.SSLContext | None = None

    @property
    def base_url(self) -> str:
        """`https://127.0.0.1:6443`, without a slash at the end."""
        return str(self._configuration.host).rstrip("/")

    @property
    def proxy(self) -> str | None:
        """A proxy to go through."""
        return self._configuration.proxy or None

    @property
    def server_hostname(self) -> str | None:
        """The name in the server's certificate when it is not the host's."""
        return self._configuration.tls_server_name or None

    async def headers(self) -> dict[str, str]:
        """The authorisation header (none with a client certificate); tokens are read again when they are due."""
        if self._clock() >= self._due_at_s:
            self._begin()
        return {"Authorization": self._token} if self._token else {}

    async def renew(self, seen: int) -> None:
        """Read everything again, unless somebody else did since generation `seen`. Raises TransientError.

        Who is cancelled meanwhile, because he waits no longer, leaves the reading to the others.
        """
        if seen == self.generation:
            await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        """Read again, one at a time."""
        if self._loading is None or self._loading.done():
            self._due_at_s = self._clock() + RENEW_S
            self._loading = asyncio.create_task(self._load_again())
            self._loading.add_done_callback(_tell_failure)
        return self._loading

    async def _load_again(self) -> None:
        try:
            await self.load()
        except SettingsError as error:  # a file that is being rewritten is whole again a moment later
            raise TransientError(f"the credentials cannot be read again: {error}") from error

    async def load(self) -> None:
        """Read the configuration; raises SettingsError that says what is wrong."""
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                configuration = await self._load()
                token = await configuration.get_api_key_with_prefix("BearerToken")
            proof = token or configuration.cert_file
            if self._is_somebody and not proof:  # half written; a server may take nobody for somebody without rights
                raise ConfigException("there are no credentials any more")
            self._secure(configuration)
        except TimeoutError as error:
            raise SettingsError(f"the credentials did not come within {LOAD_TIMEOUT_S:.0f} s") from error
        except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise SettingsError(f"cannot use the kubeconfig: {error}") from error
        self._configuration = configuration
        self._token, self._is_somebody = _one_line(token), bool(proof)
        self._due_at_s = self._clock() + RENEW_S
        self.generation += 1

    async def close(self) -> None:
        """Forget the credentials."""
        self._token = ""
        if self._loading is not None:
            self._loading.cancel()

    def _secure(self, configuration: Any) -> None:
        """The context stays the same object: new connections of a session use what was loaded last."""
        if not str(configuration.host).startswith("https"):
            return
        made = self.ssl_context or ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        made.verify_flags &= ~ssl.VERIFY_X509_STRICT  # authorities made by common installers lack what it asks for
        if configuration.ssl_ca_cert and self.ssl_context:
            made.load_verify_locations(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            made.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
        if not configuration.verify_ssl:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        self.ssl_context = made


async def connect(kubeconfig: str | Path | None = None, context: str | None = None) -> Connection:
    """A loaded connection. Without a path: `KUBECONFIG`, `~/.kube/config`, the pod's service account, in this order."""
    paths = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    exists = _any_exists(paths)
    if not exists and kubeconfig:
        raise SettingsError(f"the kubeconfig {paths} does not exist")
    if not exists and "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise SettingsError(f"no kubeconfig at {paths} and not in a cluster: name one (CHEOPS_KUBECONFIG)")
    connection = Connection(_from_files(paths, context) if exists else _from_pod)
    await connection.load()
    return connection


def _tell_failure(loading: asyncio.Task[None]) -> None:
    if not loading.cancelled() and (error := loading.exception()) is not None:
        log.warning("what was read before is used further on", reason=str(error))


def _any_exists(paths: str) -> bool:
    return any(Path(part).expanduser().exists() for part in paths.split(os.pathsep) if part)


def _from_files(paths: str, context: str | None) -> Callable[[], Any]:
    chosen = context  # once and for all: somebody may use another one in the same file meanwhile

    async def load() -> Any:
        nonlocal chosen
        configuration = Configuration(host="")
        merged = _merged(paths)
        loader: Any = _files.KubeConfigLoader(merged, active_context=chosen, config_base_path=None)
        await loader.load_and_set(configuration)
        if not configuration.host:
            raise ConfigException(f"{paths}: the cluster of this context names no server")
        _check_plugin(loader.current_context, merged, configuration)
        chosen = loader.current_context["name"]
        return configuration

    return load


def _merged(paths: str) -> Any:
    """One kubeconfig of all files; raises ConfigException."""
    try:
        merged = _files.KubeConfigMerger(paths).config
        if merged is None:
            raise ConfigException(f"{paths} is empty")
        _name_every_user(merged)
    except yaml.YAMLError as error:
        raise ConfigException(f"{paths} is not YAML: {' '.join(str(error).split())}") from error
    except (TypeError, AttributeError, KeyError) as error:  # an empty file, a list, a text
        raise ConfigException(f"{paths} is none (expected clusters, users and contexts)") from error
    return merged


async def _from_pod() -> Any:
    configuration: Any = Configuration(host="")
    _pod.load_incluster_config(configuration, try_refresh_token=False)
    return configuration


def _name_every_user(merged: Any) -> None:
    """The loader takes a context without a user only where there is no TLS."""
    merged.value["users"].append(_files.ConfigNode(ANONYMOUS, {"name": ANONYMOUS, "user": {}}))
    known = {user["name"] for user in merged.value["users"]}
    for entry in merged.value["contexts"]:
        if entry["context"].safe_get("user") not in known:
            entry.value["context"]["user"] = ANONYMOUS


def _check_plugin(context: Any, merged: Any, configuration: Any) -> None:
    """A plugin that gave nothing must not turn us into an anonymous user."""
    name = context["context"].get("user", "")
    users = (getattr(one, "value", one) for one in merged.value.get("users") or ())
    user = next((one.get("user") or {} for one in users if one.get("name") == name), {})
    if "exec" in user and not configuration.api_key.get("BearerToken") and not configuration.cert_file:
        command = user["exec"].get("command", "?")
        raise ConfigException(f"the exec plugin {command!r} of user {name!r} gave no credentials")


def _one_line(token: Any) -> str:
    text = " ".join(str(token or "").split())
    return f"Bearer {text[7:]}" if text[:7].lower() == "bearer " else text
