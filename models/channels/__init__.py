"""Channels of activations while a network is traced: their labels, the graph of what they own, sizes in the code."""
