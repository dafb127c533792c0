"""`cheops serve site`: watcher, resolver and executor of one site in one event loop, on one connection each.

Separate connections keep one service's backlog out of another's way; the smallest deployment of a site is this process
and a nats-server. When one of the three fails, all end: a supervisor starts the site again as a whole.
"""

from __future__ import annotations

import asyncio

from services.chassis import lifecycle
from services.chassis.settings import ServiceSettings, read_settings
from services.executor import __main__ as executor
from services.resolver import __main__ as resolver
from services.watcher import __main__ as watcher


class SiteSettings(ServiceSettings):
    """What the three have in common; each reads its own settings besides."""


async def run(settings: SiteSettings) -> None:
    """Run until cancelled, or until one of the three cannot go on."""
    watching = read_settings(watcher.WatcherSettings, site=settings.site)
    resolving = read_settings(resolver.ResolverSettings, site=settings.site)
    executing = read_settings(executor.ExecutorSettings, site=settings.site)
    async with asyncio.TaskGroup() as services:
        services.create_task(watcher.run(watching))
        services.create_task(resolver.run(resolving))
        services.create_task(executor.run(executing))


def main() -> int:
    """Entry point; returns the exit code."""
    besides = (watcher.WatcherSettings, resolver.ResolverSettings, executor.ExecutorSettings)
    return lifecycle.main("site", SiteSettings, run, besides)
