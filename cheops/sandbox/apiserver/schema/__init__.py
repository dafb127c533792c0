"""What fields a kind has, and how its lists merge."""
