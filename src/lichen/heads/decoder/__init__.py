"""A small text decoder beside a frozen backbone (LiT-decoder, LocCa): read `decoder.py` first.

`head.py` ties features to the decoder for training, `generation.py` writes texts, `scoring.py` weighs given ones.
"""
