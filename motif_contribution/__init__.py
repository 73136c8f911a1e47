"""Contribution: does a neuron raise or lower what the model predicts?"""
