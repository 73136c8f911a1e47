"""One static site per model, from whatever results exist: the network, its neurons, motifs and interactions."""
