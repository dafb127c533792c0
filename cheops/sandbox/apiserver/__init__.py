"""A Kubernetes API server in one Python process, small and honest: for the sandbox and for tests.

It has no kubelet and no etcd, but whoever talks to it over HTTP should not be able to tell. The suite in
tests/contract/api runs on it and on the real one; a difference is a bug here.
"""

from cheops.sandbox.apiserver.cluster import EmbeddedCluster
from cheops.sandbox.apiserver.faults import Faults

__all__ = ["EmbeddedCluster", "Faults"]
