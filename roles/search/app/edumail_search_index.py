#!/usr/bin/python3 -EsB
"""Brings the databases of search and look-up up to date with the trees that a deploy made live."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from edumail_search import build


def main(portal: str, results: str, state: str) -> int:
    """Until nothing has changed any more: a deploy may switch a tree while this works."""
    parts = [("index", Path(portal)), ("results", Path(results))]
    while True:
        trees = [(kind, link.resolve()) for kind, link in parts if (link / ".manifest").exists()]
        for kind, tree in trees:
            built, removed = build(kind, tree, Path(state) / kind)
            print(f"{kind}: {built} built, {removed} removed")
        if trees == [(kind, link.resolve()) for kind, link in parts if (link / ".manifest").exists()]:
            return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
