"""Pictures of the demo shop's items: one SVG drawing per item, in which each of its factors can be seen."""

from macrid.model.demo_pictures.card import draw

__all__ = ["draw"]
