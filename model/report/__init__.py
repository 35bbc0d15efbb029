"""The report of a bundle: the paper's figures drawn for one's own model, on one page that needs nothing else."""
