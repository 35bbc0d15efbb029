"""From components to ranked items: one protocol, three rankers behind it.

`exact` scores every item and is the reference. `by_concept` asks a flat FAISS index for each concept's best items and proves that
nothing was missed; `inverted_lists` looks into few cells of an index and has its recall measured. All rescore what they
found in `scores.py`, so an item has the same score to the last bit wherever it was found. docs/ranking.md says which is for what.
"""
