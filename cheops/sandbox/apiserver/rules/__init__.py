"""What the API server knows about particular kinds: how they are completed, what is refused, what never changes."""
