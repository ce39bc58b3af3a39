"""Training, the verbs and the report. Knows Hydra, Lightning and W&B, and no domain by name."""
