"""Texts of variables and arguments → the Services that they name (row 18). Pure; a guess, so it may only warn.

Counted: `name:port`, `name.namespace.svc[.cluster.local][:port]`, `scheme://name[:port]/…`, `name.namespace:port`,
`scheme://name.namespace[:port]/…`. Of the last two, in another namespace, it is not known whether they are names of the
public internet: that shows when such a Service is there. A pod's name (`db-0.db:5432`, `db-0.db.namespace.svc`) needs
the Service that gives it.
A name alone (`DB_HOST: postgres`, `--db-host=postgres`, `REDIS_ADDR: redis.shop`) counts where its variable or argument
says by its own name that it is a host's; its port is that of the variable beside it (`DB_PORT`). It may be somebody
else's name as well: that, too, shows when such a Service is there. What a ConfigMap keeps: kept_hosts.py.
Not counted: any other name alone, numbers, `localhost`, longer names of the public internet, an image (`redis:7`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.identity import KindId
from schemas.relations.pointers import Pointer, Source

TEXT_LEN_MAX: Final = 4_096
_LABEL = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Not inside a longer word, an address with a user (`a@b:1`), or a file's path.
_BEFORE = r"(?<![A-Za-z0-9._/@:%$-])"
_HOST: Final = re.compile(
    rf"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://(?:[^/\s@,]*@)?|{_BEFORE})"
    rf"(?P<name>{_LABEL})(?P<rest>(?:\.{_LABEL})*)\.?(?::(?P<port>[0-9]{{1,5}}))?(?![A-Za-z0-9_.:-])"
)
_NUMBERED: Final = re.compile(r"-[0-9]+$")
_HERE: Final = frozenset(("localhost",))
_NOT_SERVED: Final = frozenset(("file", "unix", "docker-pullable", "oci", "image", "data", "mailto", "urn"))
PORT_MAX: Final = 65_535
TAG_MAX: Final = 19  # `redis:7` is an image; no Service of any use has such a port


class Host(NamedTuple):
    """A Service that is meant.

    namespace   None: the own one
    port        "": not said
    doubtful    or no Service at all
    of_pod      it gives a pod its name; the ports are the pod's, whatever the Service says
    """

    name: str
    namespace: str | None
    port: str
    doubtful: bool = False
    of_pod: bool = False


def names_no_host(text: object) -> bool:
    """Whether that is known at a glance, as of most values."""
    return not isinstance(text, str) or (":" not in text and ".svc" not in text)


def hosts_in(text: str, namespace: str) -> tuple[Host, ...]:
    """Every Service named in `text`, once, in order; `namespace` is the reader's own."""
    if names_no_host(text) or len(text) > TEXT_LEN_MAX:
        return ()
    return _hosts_in(text, namespace)


@lru_cache(maxsize=8_192)  # pods of one workload repeat the same values
def _hosts_in(text: str, namespace: str) -> tuple[Host, ...]:
    return tuple(dict.fromkeys(each_host(text, namespace)))


def each_host(text: str, namespace: str) -> Iterator[Host]:
    """Every mention of a Service in a text of any length."""
    for match in _HOST.finditer(text):
        scheme, name, port = match["scheme"] or "", match["name"], match["port"] or ""
        labels = match["rest"].split(".")[1:]
        if name in _HERE or scheme in _NOT_SERVED or (port and not 0 < int(port) <= PORT_MAX):
            continue
        if not labels and (scheme or (port and int(port) > TAG_MAX)):
            yield Host(name, None, port)
        elif len(labels) >= 2 and labels[1] == "svc":
            yield Host(name, labels[0], port)
        elif len(labels) >= 3 and labels[2] == "svc":
            yield Host(labels[0], labels[1], "", of_pod=True)
        elif len(labels) == 1 and (port or scheme):
            yield Host(name, labels[0], port, doubtful=labels[0] != namespace)
            yield from _of_pod(name, labels[0])


def _of_pod(name: str, service: str) -> Iterator[Host]:
    """What gives a pod of a StatefulSet its name, `db-0.db`."""
    if _NUMBERED.search(name):
        yield Host(service, None, "", doubtful=True, of_pod=True)


# ── names alone ─────────────────────────────────────────────────────────────────────────────────────────────────────

_ENDINGS: Final = ("HOST", "HOSTNAME", "HOSTS", "ADDR", "ADDRESS", "SERVER", "SERVERS", "ENDPOINT", "BROKERS", "NODES")
QUICK: Final = tuple(form for one in _ENDINGS for form in (one, one.lower(), one.capitalize()))  # a look at its end
# `HOSTNAME` alone is one's own name.
_BEGINS = r"(?:^(?!(?i:hostname)$)|[_.-]|(?<=[a-z])(?=[A-Z]))"
_SAYS_HOST: Final = re.compile(rf"{_BEGINS}(?P<word>(?i:{'|'.join(_ENDINGS)}))$")
_ALONE: Final = re.compile(rf"(?P<name>{_LABEL})(?:\.(?P<namespace>{_LABEL}))?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_FLAG: Final = re.compile(r"--?(?:D(?=[a-z]))?(?P<name>[A-Za-z][A-Za-z0-9_.-]*)")
HOSTS_MAX: Final = 100  # in one text


class Named(NamedTuple):
    """A host, and where it stands in what was read: `[0].value`."""

    where: str
    host: Host


def named_hosts(rows: list[Any]) -> Iterator[Named]:
    """The names alone in a container's variables or arguments."""
    for place, row in enumerate(rows):
        if isinstance(row, dict):
            name, text = row.get("name"), row.get("value")
            if isinstance(name, str) and isinstance(text, str):
                for host in hosts_of(name, text):
                    yield Named(f"[{place}].value", with_port(host, _variables(rows), name))
        elif isinstance(row, str) and row.startswith("-"):
            flag, is_joined, text = row.partition("=")
            after = rows[place + 1] if not is_joined and place + 1 < len(rows) else ""
            found = _FLAG.fullmatch(flag) if flag.endswith(QUICK) else None
            if found is not None and isinstance(after, str):
                for host in hosts_of(found["name"], text if is_joined else after):
                    yield Named(f"[{place if is_joined else place + 1}]", host)


def _variables(rows: list[Any]) -> dict[str, Any]:
    named = [row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]
    return {row["name"]: row.get("value") for row in named}


def hosts_of(name: str, text: str) -> tuple[Host, ...]:
    """The names alone in a value, if what is called so is a host's."""
    if not name.endswith(QUICK) or len(text) > TEXT_LEN_MAX or not names_no_host(text):
        return ()
    return _hosts_alone(name, text)


@lru_cache(maxsize=8_192)
def _hosts_alone(name: str, text: str) -> tuple[Host, ...]:
    if _SAYS_HOST.search(name) is None:
        return ()
    alone = [_ALONE.fullmatch(one.strip()) for one in text.split(",")[:HOSTS_MAX]]
    hosts: list[Host] = []
    for one in alone:
        if one is not None and one["name"] not in _HERE:
            hosts.append(Host(one["name"], one["namespace"], "", doubtful=True))
            hosts += _of_pod(one["name"], one["namespace"]) if one["namespace"] else ()
    return tuple(dict.fromkeys(hosts))


def with_port(host: Host, variables: Mapping[str, Any], name: str) -> Host:
    """A host of what is called so, with the number in what is called alike, but for the word at its end."""
    if host.of_pod:
        return host
    word = _SAYS_HOST.search(name)
    assert word is not None, "its hosts were found"
    port = "PORT" if word["word"].isupper() else "port" if word["word"].islower() else "Port"
    text = variables.get(name[: word.start("word")] + port)
    if isinstance(text, str) and _PORT.fullmatch(text) and int(text) <= PORT_MAX:
        return host._replace(port=text)
    return host


def names_no_alone(rows: object) -> bool:
    """Whether that is known at a glance."""
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            name, text = row.get("name"), row.get("value")
            if isinstance(name, str) and name.endswith(QUICK) and isinstance(text, str) and ":" not in text:
                return False
        elif isinstance(row, str) and row.startswith("-") and row.partition("=")[0].endswith(QUICK):
            return False
    return True


# ── readers (readers.py) ────────────────────────────────────────────────────────────────────────────────────────────


def read_hosts(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`name:port`, `name.ns.svc`, URLs in an env value or an argument."""
    for host in hosts_in(value, source.namespace) if isinstance(value, str) else ():
        yield pointer_of(kind, host)


def read_named_hosts(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """`DB_HOST: postgres` among variables, `--db-host=postgres` among arguments."""
    for where, host in named_hosts(value) if isinstance(value, list) else ():
        yield pointer_of(kind, host, where)


def pointer_of(kind: KindId, host: Host, where: str = "") -> Pointer:
    port = f"port:{host.port}" if host.port else ""
    return Pointer(kind, host.name, host.namespace, port, where, doubtful=host.doubtful)
