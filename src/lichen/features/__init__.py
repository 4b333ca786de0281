"""The FeatureStore: hidden states of a frozen backbone on disk, computed once."""
