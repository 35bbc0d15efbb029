"""Macrid: recommendations that the person who receives them can see into and steer."""

__version__ = "0.1.0"
