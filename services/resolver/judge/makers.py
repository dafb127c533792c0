"""Who makes what is not there: the Secret of a SealedSecret or a Certificate, the claim of a DataVolume. Pure.

While it is not there (a directory of manifests, a site that is being set up), its maker stands for it: whoever uses it
is left without it when the maker goes, or makes another one. Where it is there, owner references say what goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from schemas.events import ResourceState
from schemas.identity import ResourceId, kind_of
from services.resolver.graph.view import Edge, View
from services.resolver.graph.walk import owner_of
from services.resolver.judge.findings import Finding, named
from services.resolver.judge.use import BREAKING, use_of

MAKING: Final = frozenset(
    (
        "cdi.claim.made",
        "cdi.cron.datasource",
        "certificate.secret",
        "cnpg.service",
        "externalsecret.target",
        "grafana.serviceaccount.token",
        "jobset.service",
        "jobset.service.default",
        "kubevirt.datavolume.made",
        "leaderworkerset.service",
        "sealedsecret.secret",
        "strimzi.user.secret",
        "vault.destination.made",
    )
)
MAKERS: Final = frozenset(
    (
        "bitnami.com/SealedSecret",
        "cdi.kubevirt.io/DataImportCron",
        "cdi.kubevirt.io/DataVolume",
        "cert-manager.io/Certificate",
        "external-secrets.io/ExternalSecret",
        "grafana.integreatly.org/GrafanaServiceAccount",
        "jobset.x-k8s.io/JobSet",
        "kafka.strimzi.io/KafkaUser",
        "kubevirt.io/VirtualMachine",
        "leaderworkerset.x-k8s.io/LeaderWorkerSet",
        "postgresql.cnpg.io/Cluster",
        "secrets.hashicorp.com/HCPVaultSecretsApp",
        "secrets.hashicorp.com/VaultDynamicSecret",
        "secrets.hashicorp.com/VaultPKISecret",
        "secrets.hashicorp.com/VaultStaticSecret",
    )
)
USERS_LOOKED_AT: Final = 128


def made_by(state: ResourceState) -> set[ResourceId]:
    """What it makes."""
    return {one.target for one in state.references if one.rule in MAKING}


def makers_of(view: View, made: ResourceId) -> list[ResourceId]:
    """Who makes it."""
    return [one.source for one in view.dependents(made).edges if one.reference.rule in MAKING]


def left_without(view: View, after: View, made: set[ResourceId]) -> Iterator[Edge]:
    """How those who stay use what is not there, and what nobody makes any more."""
    for target in sorted(made):
        if view.find(target) is not None or makers_of(after, target):
            continue
        for edge in after.dependents(target, USERS_LOOKED_AT, "users").edges:
            source = after.find(edge.source)
            if source is not None and owner_of(after, edge.source) is None and use_of(edge, source) in BREAKING:
                yield edge


def left_by(view: View, after: View, going: AbstractSet[ResourceId]) -> Iterator[Edge]:
    """The same, of a deletion."""
    gone = [state for one in going if kind_of(one) in MAKERS and (state := view.find(one)) is not None]
    return left_without(view, after, {target for state in gone for target in made_by(state)})


def unmade(view: View, after: View, going: AbstractSet[ResourceId]) -> Iterator[Finding]:
    """Findings about that."""
    for edge in left_by(view, after, going):
        message = f"{named(edge.target)} is made no more, and {named(edge.source)} @ {view.site} needs it"
        yield Finding("D313", message, "presence", edge.source, edge, (edge,))
