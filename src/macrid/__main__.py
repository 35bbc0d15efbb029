"""`python -m macrid`, and `torchrun … -m macrid train` for several processes."""

from macrid.cli import main

main()
