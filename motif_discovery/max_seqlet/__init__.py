"""Maximum-activation seqlets: the sequences with the highest activation of a neuron, stacked."""
