"""`python -m lichen` is the `lichen` command, for launchers: `torchrun --nproc_per_node 2 -m lichen train RECIPE`."""

from __future__ import annotations

import sys

from .cli.main import main

if __name__ == "__main__":
    sys.exit(main())
