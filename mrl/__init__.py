"""Mean-ribosome-load predictors: train and evaluate."""
