"""How fast search answers in a province of many units, and what building its databases costs.

python3 bench/search.py [units] [articles]
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "roles" / "search" / "app")]

import edumail_search  # noqa: E402

from edumail.tree import Tree  # noqa: E402

QUERIES = 5000
WORDS = (  # noqa: SIM905
    "trường học sinh giáo viên phụ huynh tuyển sinh lớp kế hoạch thông báo năm học kỳ thi tốt nghiệp chương trình đào"
    " tạo cơ sở vật chất bán trú đường dây nóng hồ sơ nhập học quy định công khai tài chính hội thi văn nghệ thể thao"
    " an toàn giao thông phòng chống dịch bệnh thư viện sách giáo khoa đổi mới phương pháp giảng dạy kiểm tra đánh giá"
).split()


def article(chance: random.Random, number: int) -> dict[str, str]:
    """About 300 words, as many different ones as such texts have."""
    said = [
        chance.choice(WORDS) if chance.random() < 0.8 else f"từ{int(chance.paretovariate(0.6)) % 20000}"
        for _ in range(300)
    ]
    return {
        "url": f"/tin-tuc/bai-{number}/",
        "section": "Tin tức",
        "title": " ".join(chance.choices(WORDS, k=9)).capitalize(),
        "text": " ".join(said),
        "date": f"2026-{number % 12 + 1:02}-01",
    }


def live(folder: Path, files: dict[str, str]) -> None:
    """Writes a tree as a deploy leaves it."""
    tree = Tree.of(files)
    for path, file in tree.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(file.content)
    (folder / ".manifest").write_text(tree.manifest, "utf-8")


def main(units: int = 3500, articles: int = 40) -> None:
    """Prints a table."""
    chance = random.Random(37)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "portal", Path(name) / "search"
        files = {
            f"index/u{unit}.json": json.dumps([article(chance, n) for n in range(articles)], ensure_ascii=False)
            for unit in range(units)
        }
        live(source, files)
        rows = [(f"{units} units of {articles} articles, bytes of text", sum(map(len, files.values())))]
        rows.append(("build from nothing, s", timed(lambda: edumail_search.build("index", source, target))))
        rows.append(("bytes of the databases", sum(path.stat().st_size for path in target.glob("*.db"))))
        rows.append(("nothing changed, s", timed(lambda: edumail_search.build("index", source, target))))
        changed = json.loads(files["index/u7.json"])
        changed[3] = article(chance, 3)
        files["index/u7.json"] = json.dumps(changed, ensure_ascii=False)
        live(source, files)
        rows.append(("one article changed, s", timed(lambda: edumail_search.build("index", source, target))))
        times = []
        for _ in range(QUERIES):
            words = chance.sample(WORDS, chance.choice((1, 1, 2, 2, 3)))
            query = " ".join(words if chance.random() < 0.5 else map(edumail_search.fold, words))
            database = target / f"u{chance.randrange(units)}.db"
            times.append(timed(lambda database=database, query=query: edumail_search.search(database, query)))
        times.sort()
        for part in (0.5, 0.99, 0.999):
            rows.append((f"search, p{part * 100:g}, ms", times[int(QUERIES * part)] * 1000))
    for what, figure in rows:
        print(f"{what:55} {figure:>14,.3f}" if isinstance(figure, float) else f"{what:55} {figure:>14,}")


def timed(work: object) -> float:
    """Seconds that a call takes."""
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - begun


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
