"""``python -m daskid``."""

from daskid.cli import main

main()
