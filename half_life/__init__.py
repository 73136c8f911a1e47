"""Half-life predictors: train and evaluate."""
