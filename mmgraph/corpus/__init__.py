"""The sample corpus: real files with a known hidden truth."""
