"""Tracing: which channels of a plain network are coupled."""
