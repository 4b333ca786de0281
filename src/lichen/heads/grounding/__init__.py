"""Phrases of a sentence to boxes, learnt from captions alone (ReIR): read `network.py` first.

`head.py` ties features and regions to the network; `baselines.py` and `heads/crops.py` are what it must beat.
"""
