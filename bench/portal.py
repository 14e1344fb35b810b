"""How long it takes to build every portal of a large province, and to build them again.

``python -m bench.portal [UNITS]`` prints a table for an invented province of UNITS units (3,500) and one of a tenth,
and the ratio. Each unit publishes what the lab's unit of its kind does, with its own people. Aim: under 60 s from
nothing, reading included, on two cores; under 1 s of work after one article changed, no step growing faster than its
input.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from edumail.example import generate, write

if TYPE_CHECKING:
    from edumail.model import Unit
    from edumail.portal.view import Views

ROOT = Path(__file__).resolve().parent.parent
MODELS = {"sở": "so", "phòng": "vhxh-suoi-mo", "school": "thcs-suoi-mo", "mamnon": "mn-hoa-sen"}
"""By the circular's word for a unit, or its level, the unit of the lab whose content it gets."""
LAB_ADDRESS = re.compile(r"[\w.+-]+@(?:[\w-]+\.)*(?:minhha|thptsongque)\.test\b")
SEED = 1


def publish(folder: Path) -> None:
    """Content for every unit of the inventory in ``folder``."""
    from edumail.load import load
    from edumail.portal.view import Views

    lab, province = load(ROOT / "inventories" / "lab"), load(folder)
    ours, theirs = Views(lab), Views(province)
    for unit in province.units.values():
        binds = province.kinds[unit.kind].binds
        model = lab.units[MODELS["mamnon" if unit.levels == ("mamnon",) else binds]]
        source, target = ROOT / "inventories" / "lab" / "content" / model.id, folder / "content" / unit.id
        shutil.copytree(source, target)
        people = [person.id for person in theirs.leaders(unit)]
        people += [person.id for person in theirs.units.people[unit.id] if person.id not in people]
        names = [person.id for person in ours.leaders(model)]
        names += [person.id for person in ours.units.people[model.id] if person.id not in names]
        swap = {name: people[number % len(people)] for number, name in enumerate(names)}
        for path in target.rglob("*.yml"):
            text = _with_people(path.read_text(encoding="utf-8"), swap)
            # An address of the lab's province would lead nowhere from here.
            path.write_text(LAB_ADDRESS.sub(unit.public_address, text), encoding="utf-8")
        if (target / "ranking.csv").exists():
            (target / "ranking.csv").write_text(_ranking(theirs, unit), encoding="utf-8")


def _ranking(views: Views, above: Unit) -> str:
    """The units below one, in order; of those that share a name each with its address."""
    units = [unit for unit in views.units.below(above.id) if unit.id != above.id]
    known = Counter(unit.name for unit in units)
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(("unit", "points", "out_of", "rank", "grade", "decision", "published"))
    for rank, unit in enumerate(units, 1):
        name = unit.name if known[unit.name] == 1 else f"{unit.name} ({unit.street_address})"
        rows.writerow((name, f"{100 - 50 * rank / len(units):.2f}", 100, rank, "Đạt", "1/QĐ", "2026-10-16"))
    return out.getvalue()


def _with_people(text: str, swap: dict[str, str]) -> str:
    return re.sub(r"person: ([a-z0-9-]+)", lambda found: f"person: {swap[found[1]]}", text)


def measure(folder: Path) -> dict[str, object]:
    """Build the portals of the inventory in ``folder``: seconds and peak MiB by step."""
    from edumail.load import load
    from edumail.portal.load import Contents
    from edumail.tree import Tree
    from roles.common.portals import KeptPortals

    steps: dict[str, tuple[float, float]] = {}
    province = load(folder)
    pages = size = 0
    began = time.perf_counter()

    def done(step: str) -> None:
        nonlocal began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        steps[step] = (time.perf_counter() - began, peak)
        began = time.perf_counter()

    def trees(portals: KeptPortals) -> None:
        for host in province.hosts.values():
            assert Tree.of(portals.files(host)).digest

    cache = folder / "cache"
    began = time.perf_counter()
    portals = KeptPortals(province, Contents(folder, province), cache)
    assert portals.rendered == len(province.units)
    done("from nothing, content read and rendered")
    trees(portals)
    done("  … and the trees of all hosts")
    for host in province.hosts.values():
        files = portals.files(host)
        pages += sum(path.endswith(".html") for path in files)
    size = sum(path.stat().st_size for path in cache.glob("*.pack"))
    began = time.perf_counter()
    portals = KeptPortals(province, Contents(folder, province), cache)
    assert portals.rendered == 0
    done("nothing changed")
    trees(portals)
    done("  … and the trees of all hosts ")
    article = next((folder / "content").glob("*/news/*.md"))
    article.write_text(article.read_text(encoding="utf-8") + "\nThêm một dòng.\n", encoding="utf-8")
    began = time.perf_counter()
    portals = KeptPortals(province, Contents(folder, province), cache)
    assert portals.rendered == 1
    done("one article changed")
    return {"units": len(province.units), "pages": pages, "bytes": size, "steps": steps}


def main() -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 3500
    sizes = (max(units // 10, 1), units)
    results = []
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as folder:
        for size in sizes:
            province = Path(folder) / str(size)
            write(generate(size, SEED), province)
            publish(province)
            words = [sys.executable, "-m", "bench.portal", "--measure", str(province)]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=ROOT)
            results.append(json.loads(done.stdout))
    small, large = results
    print(f"{os.cpu_count()} cores")
    for result in results:
        print(f"{result['units']} units: {result['pages']} pages, {result['bytes'] / 2**20:.0f} MiB of files")
    print(f"\n{'':<42}{sizes[0]:>7} units {sizes[1]:>7} units   ratio   peak MiB")
    for step, (seconds, peak) in large["steps"].items():
        before = small["steps"][step][0]
        print(f"{step:<42}{before:>11.2f} s {seconds:>11.2f} s {seconds / before:>7.1f} {peak:>10.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        json.dump(measure(Path(sys.argv[2])), sys.stdout)
    else:
        main()
