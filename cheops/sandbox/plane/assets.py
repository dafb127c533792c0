"""Where the programs of a real control plane are: KUBEBUILDER_ASSETS, or what `make controlplane` built.

KUBEBUILDER_ASSETS        a folder made by somebody else's tools; used as it is
CHEOPS_CONTROLPLANE_DIR   where `make controlplane` builds instead of the checkout
<checkout>/.controlplane  where it builds otherwise
"""

from __future__ import annotations

import os
from pathlib import Path

from services.chassis.errors import SettingsError

NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager")
FOR_PODS = ("kube-scheduler", "kwok")
FOR_PEOPLE = ("kubectl",)
EVERYTHING = (*NEEDED, *FOR_PODS, *FOR_PEOPLE)


class ControlPlaneMissingError(SettingsError):
    """A program that is needed is not there; the message says how to get it."""


def foreign_directory() -> Path | None:
    """The folder that the user brought."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(named).expanduser().absolute() if named else None


def build_directory() -> Path:
    """Where `make controlplane` puts what it builds."""
    named = os.environ.get("CHEOPS_CONTROLPLANE_DIR")
    checkout = Path(__file__).resolve().parents[3]
    return Path(named).expanduser().absolute() if named else checkout / ".controlplane"


def find_assets() -> Path | None:
    """The folder to start from; None when there is none or an API server could not start from it."""
    directory = foreign_directory() or build_directory()
    return None if missing(directory, NEEDED[:2]) else directory


def missing(directory: Path, programs: tuple[str, ...]) -> list[str]:
    """Those that are not executable files in that folder."""
    return [name for name in programs if not os.access(directory / name, os.X_OK)]


def require(programs: tuple[str, ...], directory: Path | None = None) -> Path:
    """The folder, when it holds all of these. Raises ControlPlaneMissingError that names what is not there."""
    chosen = directory or foreign_directory() or build_directory()
    if absent := missing(chosen, programs):
        raise ControlPlaneMissingError(f"no {', '.join(absent)} in {chosen}: {_how_to_get(chosen)}")
    return chosen


def _how_to_get(directory: Path) -> str:
    if directory == foreign_directory():
        return "add it there, or unset KUBEBUILDER_ASSETS and run `make controlplane`"
    return "run `make controlplane` (needs Go; about 8 minutes the first time on a machine, then one)"
