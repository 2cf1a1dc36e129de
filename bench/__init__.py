"""Timings and instruction counts, by named cases: `python -m bench`."""
