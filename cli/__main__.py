"""`python -m macrid.cli`."""

from macrid.cli import main

main()
