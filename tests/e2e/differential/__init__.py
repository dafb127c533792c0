"""Does what a verdict allows really work? Random writes and deletes, judged by a real control plane and a kubelet."""
