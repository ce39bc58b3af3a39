"""Proteins: residue contacts from attention."""
