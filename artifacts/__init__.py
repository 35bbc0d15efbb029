"""The contract between trainer and server: bundles, their catalogue, and the store they are published to.

Imports: standard library, numpy, safetensors. Neither torch nor fastapi; neither `macrid.model` nor `macrid.service`.
"""
