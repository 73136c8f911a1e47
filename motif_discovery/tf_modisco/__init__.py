"""TF-MoDISco on the gradients of neurons, through modisco-lite."""
