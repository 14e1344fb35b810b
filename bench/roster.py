"""How long an import of a spreadsheet takes, and how much memory.

``python -m bench.roster [ROWS]`` imports ROWS rows (20,000) and a tenth of that into one unit of an invented province
of three, as CSV and as XLSX, then again, which changes nothing; and one school of 60 into a province of 3,500 units. It
prints the processor's seconds, those on the clock, the peak MiB, and the ratio to a tenth. Each run is a process.
"""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from openpyxl import Workbook

from edumail.example import generate, write
from edumail.load import load

ROOT = Path(__file__).resolve().parent.parent
HEADER = ["STT", "Mã", "Họ và tên", "Tổ", "Chức vụ"]
PROVINCE = 3500


def school(folder: Path) -> str:
    """A school of the province."""
    return next(unit.id for unit in load(folder).units.values() if unit.kind == "truong")


def rows(folder: Path, unit: str, count: int) -> list[list[str]]:
    """The unit's own people and invented ones, so many in all."""
    with (folder / f"people/{unit}.csv").open(encoding="utf-8", newline="") as file:
        own = [["", *row[:4]] for row in list(csv.reader(file))[1:]]
    names = []
    for path, text in generate(max(3, count // 30), 11).items():
        if path.startswith("people/"):
            names += [line.split(",")[1] for line in text.splitlines()[1:]]
    more = [["", f"gv-{number}", name, "", "Giáo viên"] for number, name in enumerate(names[: count - len(own)])]
    return [HEADER, *own, *more]


def save(table: list[list[str]], file: Path) -> None:
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as target:
            csv.writer(target).writerows(table)
        return
    book = Workbook(write_only=True)
    page = book.create_sheet("Danh sách")
    for row in table:
        page.append(row)
    book.save(file)


def run(folder: Path, unit: str, file: Path) -> tuple[float, float, float]:
    """Processor's seconds, seconds and peak MiB of one import."""
    words = [sys.executable, "-m", "bench.roster", "--measure", str(folder), unit, str(file)]
    began = time.perf_counter()
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT)
    cpu, peak = map(float, done.stdout.split()[-2:])
    return cpu, time.perf_counter() - began, peak


def measure(words: list[str]) -> None:
    from edumail import cli

    assert cli.main(["roster", "import", *words, "--yes", "--lang", "en"]) == 0
    print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    sizes = (count // 10, count)
    table: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="edumail-bench-") as temporary:
        for size in sizes:
            for kind in ("csv", "xlsx"):
                folder = Path(temporary) / f"{kind}-{size}"
                write(generate(3, 7), folder)
                unit, file = school(folder), Path(temporary) / f"{size}.{kind}"
                save(rows(folder, unit, size), file)
                table.setdefault(f"{kind}, all of them new", []).append(run(folder, unit, file))
                table.setdefault(f"{kind}, nothing new", []).append(run(folder, unit, file))
        print(f"processor's seconds{'':<11}{sizes[0]:>9} rows{sizes[1]:>10} rows   ratio   on the clock   peak MiB")
        for name, ((before, _, _), (cpu, clock, peak)) in table.items():
            print(f"{name:<30}{before:>12.2f} s{cpu:>13.2f} s{cpu / before:>8.1f}{clock:>13.1f} s{peak:>11.0f}")
        folder = Path(temporary) / "province"
        write(generate(PROVINCE, 1), folder)
        unit, file = school(folder), Path(temporary) / "school.xlsx"
        save(rows(folder, unit, 60), file)
        cpu, clock, peak = run(folder, unit, file)
        print(
            f"a school of 60 in a province of {PROVINCE} units: {cpu:.1f} s, {clock:.1f} s on the clock, {peak:.0f} MiB"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(sys.argv[2:])
    else:
        main()
