"""Intents that several sites decide together: the entry site coordinates, each site in scope judges its own part.

    coordinator (entry site)   split ─▶ ask ─▶ combine the answers ─▶ commit or drop ─▶ follow to the end
    participant (each site)    judge the part, hold it on a lease ─▶ commit: do it, and report

Nothing is done at a site without the consent of that site's own resolver. Both are pure; architecture.md, "Deciding
across sites", is the source.
"""
