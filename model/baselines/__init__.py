"""Baselines on the same splits and metrics. Each fits on a training matrix and is a `Scorer` of histories."""
