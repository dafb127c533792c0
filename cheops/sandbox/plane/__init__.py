"""The parts of a real control plane: its programs, its files, how each is started and asked whether it is ready."""
