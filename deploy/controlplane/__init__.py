"""Real Kubernetes control planes, built from source once: see README.md here."""
