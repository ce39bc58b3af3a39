"""DNA: promoters, peaks, motifs."""
