"""Stage: how the two motifs of a pair act together."""
