"""One line about where a figure was measured, for the head of every result."""

from macrid.model.machine import describe as describe
