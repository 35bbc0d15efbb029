"""What a trained model learnt, measured: pure functions of arrays, each defined in docs/analysis.md.

Nothing here trains (but for `choosing`), reads bundle files itself, or imports the server.
"""
