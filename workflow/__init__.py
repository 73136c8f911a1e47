"""The stages in shards, on one machine or many: see Snakefile."""
