"""Go types of the API, as fetched for building it → cheops/sandbox/apiserver/wire/fields.yaml. Needs go.

`python -m deploy.controlplane.wire` after the version in the module changes. Only what kubectl's typed clients send is
kept: the kinds of k8s.io/api in version v1 (and autoscaling/v2), with everything that they consist of.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

MODULE = Path(__file__).parent / "kube"
OUTPUT = Path("cheops/sandbox/apiserver/wire/fields.yaml")
HEAD = """\
# How the built-in kinds are numbered on the wire (protobuf), which kubectl uses for what it creates without a file.
# Made by `python -m deploy.controlplane.wire`.
#
#   number: name [type][mark]      text unless said; * many; ? an empty value is one too; ^ its fields are its parent's
"""
PACKAGES = ("core", "apps", "batch", "rbac", "networking", "policy", "scheduling", "autoscaling", "authorization")
PACKAGES += ("authentication", "certificates", "coordination", "discovery", "storage", "node", "events")
META = "k8s.io.apimachinery.pkg.apis.meta.v1"
SPECIAL = {f"{META}.Time": "time", f"{META}.MicroTime": "microtime", f"{META}.FieldsV1": "json"}
SPECIAL |= {"k8s.io.apimachinery.pkg.api.resource.Quantity": "quantity"}
SPECIAL |= {"k8s.io.apimachinery.pkg.util.intstr.IntOrString": "intstr"}
SPECIAL |= {"k8s.io.apimachinery.pkg.runtime.RawExtension": "json"}
PLAIN = {"string": "", "bool": "bool", "int32": "int", "int64": "int", "uint32": "int", "bytes": "bytes"}

_MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^  (?:(optional|repeated) )?(map<string, ?([.\w]+)>|[.\w]+) (\w+) = (\d+);", re.MULTILINE)
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_TAG = re.compile(r"(\S+)\s+`json:\"(\w*)(,inline)?[^\"]*\" protobuf:\"\w+,(\d+),")

Table = dict[str, dict[int, str]]


def main() -> None:
    table: Table = {}
    for directory, package in _sources():
        table |= dict(_messages(directory, package))
    roots = [name for name in table if _is_root(name, table)]
    kept = {name: table[name] for name in sorted(_reachable(table, roots))}
    lines = [
        f"{_short(name)}: {{{', '.join(f'{n}: {said}' for n, said in row.items())}}}" for name, row in kept.items()
    ]
    OUTPUT.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def _sources() -> Iterator[tuple[Path, str]]:
    api, machinery = _directory("k8s.io/api"), _directory("k8s.io/apimachinery")
    yield machinery / "pkg/apis/meta/v1", META
    for package in PACKAGES:
        versions = ("v1", "v2") if package == "autoscaling" else ("v1",)
        for version in versions:
            yield api / package / version, f"k8s.io.api.{package}.{version}"


def _directory(module: str) -> Path:
    command = ["go", "list", "-m", "-f", "{{.Dir}}", module]
    return Path(subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=True).stdout.strip())


def _messages(directory: Path, package: str) -> Iterator[tuple[str, dict[int, str]]]:
    go = "\n".join(path.read_text(encoding="utf-8") for path in sorted(directory.glob("*types*.go")))
    tags = {
        (struct, int(number)): (go_type, inline)
        for struct, body in _STRUCT.findall(go)
        for go_type, _, inline, number in _TAG.findall(body)
    }
    for name, body in _MESSAGE.findall((directory / "generated.proto").read_text(encoding="utf-8")):
        row: dict[int, str] = {}
        for label, type_text, value_type, field, number in _FIELD.findall(body):
            go_type, inline = tags.get((name, int(number)), ("", ""))
            kind = _kind(value_type or type_text, package)
            kind = f"map<{kind or 'text'}>" if value_type else kind
            mark = "*" if label == "repeated" else "^" if inline else "?" if go_type.startswith("*") else ""
            row[int(number)] = f"{field} {kind}{mark}".strip() if kind or mark else field
        yield f"{package}.{name}", row


def _kind(type_text: str, package: str) -> str:
    if type_text in PLAIN:
        return PLAIN[type_text]
    name = type_text.removeprefix(".")
    full = name if "." in name else f"{package}.{name}"
    return SPECIAL.get(full, full)


def _is_root(name: str, table: Table) -> bool:
    return any(said.startswith("metadata ") for said in table[name].values()) and not name.endswith("List")


def _reachable(table: Table, roots: list[str]) -> set[str]:
    found: set[str] = set()
    waiting = [*roots, f"{META}.DeleteOptions"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for number, said in table[name].items():
            for part in re.findall(r"k8s\.io[.\w]+", said):
                if part in table:
                    waiting.append(part)
            table[name][number] = re.sub(r"k8s\.io[.\w]+", lambda match: _short(match[0]), said)
    return found


def _short(name: str) -> str:
    return name.replace(f"{META}.", "meta.v1.").removeprefix("k8s.io.api.")


if __name__ == "__main__":
    main()
