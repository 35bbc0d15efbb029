"""From components to ranked items: one protocol, two rankers that give the same answer.

`exact` scores every item and is the reference; `by_concept` asks a FAISS index for each concept's best items, rescores
them, and proves that nothing was missed. Both end in `scores.py`, so they answer alike to the last bit.
"""
