"""Values of a ConfigMap → the Services that they name: variables, and files of programs. Pure; guesses (hosts.py).

A value of one line is read as a variable's is: `DB_HOST: postgres` beside `DB_PORT`, `redis.server: redis:6379`.
A file (`nginx.conf`, `haproxy.cfg`, `application.yaml`, a script) has a grammar of its own that nobody knows here.
Hosts are written alike in all of them, though: `name:port`, `scheme://name`, `name.namespace.svc` anywhere in a line
that is no comment; and a name alone as all that a line says beside a word that ends as a host's does: `host: postgres`,
`spring.redis.host=redis`, `Host elasticsearch`. Its port is that of the setting called as it is (`redis.port`) in the
same block: as far in, in the same section, in the same item of a list.
None of it is known to be meant: each counts only while such a Service is there.
Not counted: a line beyond some thousand characters, what it says that an image is, and the names that a file gives
itself (`upstream web {` of nginx).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from schemas.identity import KindId
from schemas.relations.hosts import (
    HOSTS_MAX,
    TEXT_LEN_MAX,
    Host,
    Named,
    each_host,
    hosts_in,
    hosts_of,
    pointer_of,
    with_port,
)
from schemas.relations.path import suffix_of
from schemas.relations.pointers import Pointer, Source

BLOCK_LINES_MAX: Final = 64  # above a setting, and below it
FILE_LEN_MAX: Final = 1_048_576  # etcd takes no more

_PROMISING: Final = re.compile(r":(?://|(?<=[a-z0-9]:)[0-9])|\.svc")
_COMMENTS: Final = ("#", "//", ";")
_SAYS_IMAGE: Final = re.compile(r"(?i:images?[\"']?\s*[:=]|^\s*from\s)")
_UPSTREAM: Final = re.compile(r"^[ \t]*+upstream[ \t]++([a-z0-9.-]++)", re.MULTILINE)
# `key: text`, `key = "text",`, `key text`, with nothing else in the line
_SETTING: Final = re.compile(
    r"^[ \t]*+(?:- |export[ \t]++)?[\"']?(?P<key>[A-Za-z_][A-Za-z0-9_.-]*+)[\"']?(?:[ \t]*+[:=]|(?=[ \t]))[ \t]*+"
    r"[\"']?(?P<text>[a-z0-9][a-z0-9.,-]*+)[\"']?[ \t]*+[,;]?[ \t]*+(?:#.*)?\r?$",
    re.MULTILINE,
)


def kept_hosts(data: Mapping[str, Any], namespace: str) -> Iterator[Named]:
    """What the keys of a ConfigMap name, each host of a key once. Nobody says that they are meant."""
    for key, text in data.items():
        if isinstance(key, str) and isinstance(text, str) and len(text) <= FILE_LEN_MAX:
            hosts = _of_file(text, namespace) if "\n" in text else _of_line(key, text, data, namespace)
            guesses = dict.fromkeys(host._replace(doubtful=True) for host in hosts)
            for host in islice(guesses, HOSTS_MAX):
                yield Named(suffix_of(key), host)


def _of_line(key: str, text: str, data: Mapping[str, Any], namespace: str) -> Iterator[Host]:
    if key.lower().endswith("image"):
        return
    yield from hosts_in(text, namespace)
    for host in hosts_of(key, text):
        yield with_port(host, data, key)


def _of_file(text: str, namespace: str) -> Iterator[Host]:
    own = frozenset(_UPSTREAM.findall(text)) if "upstream" in text else frozenset()
    end = -1
    for match in _PROMISING.finditer(text):
        if match.start() > end:  # in a line that was not looked at
            begin, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
            end = len(text) if end < 0 else end
            line = text[begin:end] if end - begin <= TEXT_LEN_MAX else ""
            if not line.lstrip().startswith(_COMMENTS) and _SAYS_IMAGE.search(line) is None:
                yield from (host for host in each_host(line, namespace) if host.port or host.name not in own)
    yield from islice(_of_settings(text), HOSTS_MAX)


def _of_settings(text: str) -> Iterator[Host]:
    lines: list[str] = []
    for match in _SETTING.finditer(text):
        hosts = hosts_of(match["key"], _value(match))
        if hosts:
            lines = lines or text.split("\n")
            beside = _block(lines, text.count("\n", 0, match.start()))
            yield from (with_port(host, beside, match["key"]) for host in hosts)


def _value(setting: re.Match[str]) -> str:
    return setting["text"].rstrip(",")  # of JSON, where nothing is around a number


def _block(lines: Sequence[str], place: int) -> dict[str, str]:
    """The settings that stand with the one in this line: as far in, with nothing less far in between."""
    found: dict[str, str] = {}
    depth = _depth(lines[place])
    for step in (-1, 1):
        at, end = place, place + step * BLOCK_LINES_MAX
        while at != end and not (step < 0 and _begins_item(lines[at], depth)):
            at += step
            line = lines[at] if 0 <= at < len(lines) else "["
            if line.lstrip().startswith("[") or (step > 0 and _begins_item(line, depth)):
                break
            if line.strip() and _depth(line) < depth:
                break
            setting = _SETTING.match(line) if _depth(line) == depth else None
            if setting is not None:
                found.setdefault(setting["key"], _value(setting))
    return found


def _depth(line: str) -> int:
    """How far in a line begins; the dash of an item is on the way."""
    bare = line.lstrip()
    return len(line) - len(bare) + 2 * bare.startswith("- ")


def _begins_item(line: str, depth: int) -> bool:
    return line.lstrip().startswith("- ") and _depth(line) == depth


def read_kept_hosts(value: Any, kind: KindId, source: Source) -> Iterator[Pointer]:
    """What a ConfigMap's data name: variables and files."""
    for where, host in kept_hosts(value, source.namespace) if isinstance(value, dict) else ():
        yield pointer_of(kind, host, where)
