"""What every API server refuses of built-in kinds, whatever is in the cluster: data (fields.yaml) and a few rules."""
