"""What is measured against what: one command each, results in docs/benchmarks/ with hardware, seed and date."""
