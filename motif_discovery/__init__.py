"""NeuronMotif: sample, cluster, match, report."""
