"""Directories of manifests → the same graph, the same judge: verdicts without any service.

sites.py      manifests of one site → what a resolver would know of it (surface, graph, evidence)
merging.py    what an apply would make of an object that is there
check.py      one intent on such sites → one verdict
scoped.py     the same in a scope: alternatives, copies, replicas
delivery.py   what each site gets of a bundle, whole or divided, and of what it needs from elsewhere
history.py    the manifests of a site in git: what a change writes and removes
questions.py  tree, why, missing, order of manifests
"""
