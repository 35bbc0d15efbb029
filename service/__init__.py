"""The online server: a bundle in, answers over HTTP out. numpy, FAISS and FastAPI.

May import `macrid.artifacts`; never torch, nor `macrid.model`.
"""
