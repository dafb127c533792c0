"""Directories of manifests → the same graph, the same judge: verdicts without any service.

sites.py    manifests of one site → what a resolver would know of it (surface, graph, evidence)
merging.py  what an apply would make of an object that is there
check.py    one intent on such sites → one verdict
"""
