"""Comparison and summary tables and plots, each made by one command."""
