"""The offline trainer: interactions in, a bundle out. torch lives in this package and nowhere else.

May import `macrid.artifacts`; never `macrid.service`.
"""
