"""Proteins: alignments and structures in, contact maps out."""
