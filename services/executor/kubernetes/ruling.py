"""The rules that a site's ConfigMaps carry, read anew before something is shaped by them.

What an API server would make of a manifest is shaped here, so its references are found here, by the rules that the
watcher and the resolver follow (services/resolver/ruling.py). One request, and only with the setting.
"""

from __future__ import annotations

from typing import Final

from schemas.identity import resource_id
from schemas.relations.carried import KIND, SELECTOR, Rulebook, fact_of
from schemas.ties import RULES_FACT
from schemas.untyped import mapping_of, rows_of
from services.executor.kubernetes.client import KubernetesClient

PAGE_LIMIT: Final = 10  # each may have a megabyte


class Ruling:
    """Keeps a rulebook as the ConfigMaps are when somebody asks."""

    def __init__(self, client: KubernetesClient, book: Rulebook) -> None:
        self._client, self._book = client, book

    async def renew(self) -> bool:
        """Whether other rules are in force now than before. Raises TransientError when they cannot be read."""
        namespace = self._book.namespace
        if not namespace:
            return False
        params = {"labelSelector": SELECTOR, "limit": str(PAGE_LIMIT)}
        found = {}
        while True:
            page = await self._client.get(f"/api/v1/namespaces/{namespace}/configmaps", params)
            for one in rows_of(page.get("items")):
                name = str(mapping_of(one.get("metadata")).get("name") or "")
                found[resource_id("", KIND, namespace, name)] = fact_of(one.get("data"))
            token = mapping_of(page.get("metadata")).get("continue")
            if not token:
                break
            params["continue"] = str(token)
        self._book.keep(set(found))  # nothing is awaited from here on: others shape meanwhile
        for resource, fact in found.items():
            self._book.note(resource, {RULES_FACT: fact})
        return self._book.renew() is not None
