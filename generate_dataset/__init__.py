"""Public files to training data and motif databases."""
