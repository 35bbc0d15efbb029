"""What is measured against what: one command each, results in docs/benchmarks.md with hardware, seed and date."""
