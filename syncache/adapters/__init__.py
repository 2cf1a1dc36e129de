"""Adapters to TCP stacks of other people; each needs its stack installed."""
