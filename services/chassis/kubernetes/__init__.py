"""How to reach a Kubernetes API server; what is said to it belongs to the services."""
