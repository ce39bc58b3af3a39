"""What heads do, in any domain: tables, likeness, importance, pruning, losses that make them differ."""
