"""Create, update, patch, apply, delete: prepare → (admission) → commit."""
