"""Images of any size and shape, and where the heads look."""
