"""What works on its own in a cluster: garbage, namespaces, definitions; and workloads, so that a sandbox gets ready."""
