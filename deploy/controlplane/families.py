"""What is built here: one family of programs per Go module. Its go.mod is the only place that says a version."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Family:
    """`packages` are in the order of `programs`; `linked` are Go variables that get the version."""

    name: str
    module: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]
    linked: tuple[tuple[str, str], ...] = ()

    @property
    def directory(self) -> Path:
        return HERE / self.name

    @property
    def version(self) -> str:
        """Of the module that is built, with its v."""
        return self._in_go_mod(rf"^\s*(?:require )?{re.escape(self.module)} (v\S+)")

    @property
    def go_version(self) -> tuple[int, ...]:
        """The oldest Go that can build it."""
        return tuple(int(part) for part in self._in_go_mod(r"^go ([\d.]+)").split("."))

    @property
    def linker_flags(self) -> str:
        """No symbol table and no debug data: half the size. Servers tell clients their version, so it must be true."""
        major, minor = self.version.removeprefix("v").split(".")[:2]
        values = {"version": self.version, "major": major, "minor": minor}
        return " ".join(["-s -w", *(f"-X {variable}={form.format(**values)}" for variable, form in self.linked)])

    @property
    def fingerprint(self) -> str:
        """Changes exactly when what would be built changes."""
        digest = hashlib.sha256(f"{self.packages} {self.linker_flags}".encode())
        for source in sorted(path for path in self.directory.iterdir() if path.is_file()):
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return f"{self.version} {digest.hexdigest()}"

    def _in_go_mod(self, pattern: str) -> str:
        found = re.search(pattern, (self.directory / "go.mod").read_text(), re.MULTILINE)
        assert found, f"{self.directory}/go.mod has nothing like {pattern}"
        return found[1]


_KUBE_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")

FAMILIES = (
    Family("etcd", "go.etcd.io/etcd/server/v3", packages=(".",), programs=("etcd",)),
    Family(
        "kube",
        "k8s.io/kubernetes",
        packages=tuple(f"k8s.io/kubernetes/cmd/{program}" for program in _KUBE_PROGRAMS),
        programs=_KUBE_PROGRAMS,
        linked=(
            ("k8s.io/component-base/version.gitVersion", "{version}"),
            ("k8s.io/component-base/version.gitMajor", "{major}"),
            ("k8s.io/component-base/version.gitMinor", "{minor}"),
            ("k8s.io/client-go/pkg/version.gitVersion", "{version}"),
        ),
    ),
    Family("kwok", "sigs.k8s.io/kwok", packages=("sigs.k8s.io/kwok/cmd/kwok",), programs=("kwok",)),
)
