"""Baselines on the same splits and metrics, one file each.

Popularity, item-kNN and EASE fit on a training matrix; the neural ones fit on a split, whose validation users choose the epoch.
All of them are `evaluation.Scorer`s.
"""
