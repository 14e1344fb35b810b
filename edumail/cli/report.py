"""``edumail report``: an audit's report as a folder of files under one signature, and whether one is as it was.

The folder is made beside its place and put there whole; one that is there already is never touched.
"""

from __future__ import annotations

import hashlib
import shlex
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from edumail import seal
from edumail.circular.assessment import Assessment, read, subject, written
from edumail.circular.catalogue import Words
from edumail.circular.differences import Earlier
from edumail.circular.sheet import Sheet, no_sheet, read_sheet
from edumail.cli.arguments import refuse_no_font
from edumail.cli.audit import add_questions, audit, status
from edumail.cli.language import Commands, Parser, UserError, say
from edumail.cli.terminal import Status, plain
from edumail.cli.verdict_table import tell_counts, tell_incomplete
from edumail.load import load
from edumail.model import Province

_UNKNOWN_KEY = 3
_QUESTIONS = ("host", "outside", "sample", "resume", "ssh_config")
"""The options of :func:`edumail.cli.audit.add_questions`."""
_VERDICTS, _HTML, _PDF, _JUNIT, _RANKING, _WEIGHTS = (
    "verdicts.json", "report.html", "report.pdf", "junit.xml", "ranking.csv", "weights.yml",
)  # fmt: skip
_NAMES = (_VERDICTS, _HTML, _PDF, _JUNIT, _RANKING, _WEIGHTS, seal.SUMS, seal.SIGNATURE)


def add_parser(commands: Commands[Parser]) -> None:
    """Make the command known."""
    summary = say(
        "báo cáo của một lần đối chiếu: HTML, PDF, JSON, JUnit, bảng xếp hạng, có chữ ký",
        "the report of an audit: HTML, PDF, JSON, JUnit, a ranking, signed",
    )
    parser = commands.add_parser(
        "report",
        help=summary,
        description=summary
        + say(
            ". Mã thoát khi lập báo cáo: như edumail verify. Với --check: 0 nguyên vẹn, ký bằng khóa --key, hoặc do "
            "người kiểm tra của INVENTORY ký; 1 bị sửa, thiếu, thừa, của tỉnh khác, chưa ký hoặc chữ ký sai; 3 nguyên "
            "vẹn, nhưng ký bằng khóa khác.",
            ". Exit status when making one: as of edumail verify. With --check: 0 unchanged, signed with --key, or by "
            "an auditor of INVENTORY; 1 changed, incomplete, added to, of another province, unsigned or wrongly "
            "signed; 3 unchanged, by another key.",
        ),
    )
    parser.add_argument(
        "inventory",
        type=Path,
        nargs="?",
        metavar="INVENTORY",
        help=say("thư mục mô tả tỉnh, như inventories/lab", "the province's folder, such as inventories/lab"),
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument(
        "--out", type=Path, metavar="DIR", help=say("thư mục mới cho báo cáo", "a new folder for the report")
    )
    task.add_argument(
        "--check",
        type=Path,
        metavar="FILE",
        help=say("báo cáo (thư mục hay một tệp trong đó) có còn nguyên vẹn", "is this report (its folder or a file of "
                 "it) still as it was"),
    )  # fmt: skip
    parser.add_argument(
        "--verdicts",
        type=Path,
        metavar="FILE",
        help=say(
            "kết quả của edumail verify --json; không hỏi lại máy chủ nào",
            "what edumail verify --json wrote; no host is asked again",
        ),
    )
    parser.add_argument(
        "--previous",
        type=Path,
        metavar="DIR",
        help=say("báo cáo lần trước, để so sánh", "the last report, to compare with"),
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help=say("bảng điểm của cơ quan quản lý (YAML)", "the score sheet of an authority (YAML)"),
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help=say(
            "ký bằng khóa SSH Ed25519 này (khóa riêng; hoặc .pub nếu khóa nằm trong ssh-agent); với --check: khóa công "
            "khai của người kiểm tra, chỉ khóa này được tin",
            "sign with this Ed25519 SSH key (private; or its .pub when an agent holds it); with --check: the auditor's "
            "public key, and no other is trusted",
        ),
    )
    add_questions(parser)
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Make a report, or check one."""
    if args.check:
        _refuse_beside("--check", args, "verdicts", "previous", "weights", *_QUESTIONS)
        return _check(args.check, args.inventory, args.key)
    if args.inventory is None:
        raise UserError("thiếu tham số: INVENTORY", "the following arguments are required: INVENTORY", status=2)
    if args.verdicts:
        _refuse_beside("--verdicts", args, *_QUESTIONS)
    out = args.out.resolve()
    _refuse(out)
    refuse_no_font()
    if args.key:
        _refuse_key(args.key)
    text = _text(args.weights) if args.weights else None
    sheet = no_sheet() if text is None else read_sheet(str(args.weights), text)
    province = load(args.inventory)
    before = _earlier(args.previous, province) if args.previous else None
    if args.verdicts:
        assessment, log = _read(args.verdicts, province), ""
        strangers = {finding.unit for finding in assessment.findings} - set(province.units)
        if strangers or assessment.subject != subject(province):
            names = ", ".join(sorted(strangers)[:5])
            raise UserError(
                f"{args.inventory} không có đúng những đơn vị của {args.verdicts} (mã, tên, loại, cấp trên) {names}; "
                "dùng inventory của ngày kiểm tra",
                f"{args.inventory} has not the units of {args.verdicts} (ids, names, kinds, parents) {names}; "
                "use the inventory of the audit's day",
            )
        _refuse_later(before, assessment.at)
    else:
        _refuse_later(before, datetime.now(UTC))  # before hosts are asked
        assessment, log = audit(args, province)
    with _whole(out) as folder:
        _fill(folder, province, assessment, before, sheet)
        if text is not None:
            (folder / _WEIGHTS).write_text(text, encoding="utf-8")
        (folder / seal.SUMS).write_text(seal.sums(_digests(folder)), encoding="utf-8")
    print(say(f"Đã ghi báo cáo vào {args.out}", f"Wrote the report to {args.out}"))
    if args.key is None:
        print(say("Báo cáo CHƯA KÝ (--key).", "The report is NOT SIGNED (--key)."))
    else:
        key = _sign(args.out, args.key)
        whose = _whose(key, province)
        words = f"{whose or say('khóa không có trong inventory', 'a key that the inventory does not have')}"
        print(say(f"Đã ký: {words}, {seal.fingerprint(key)}", f"Signed: {words}, {seal.fingerprint(key)}"))
    tell_counts(assessment.findings)
    tell_incomplete(assessment, log)
    return status(assessment)


def _fill(folder: Path, province: Province, assessment: Assessment, before: Earlier | None, sheet: Sheet) -> None:
    """Write the files. Reportlab and Jinja are loaded here: ``--check`` needs neither."""
    from edumail.circular.differences import differences
    from edumail.circular.junit import junit
    from edumail.circular.page import page
    from edumail.circular.paper import pdf
    from edumail.circular.ranking import as_csv, ranked

    progress = Status()

    def write(name: str, pieces: Iterable[str]) -> None:
        progress.now(name)
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)

    try:
        write(_VERDICTS, written(assessment))
        write(_JUNIT, junit(province, assessment))
        scores = ranked(province, assessment, sheet)
        write(_RANKING, [as_csv(province, assessment, sheet, scores)])
        since = differences(before, assessment, province.units) if before else None
        write(_HTML, [page(province, assessment, sheet, scores, since)])
        progress.now(_PDF)
        digest = hashlib.sha256((folder / _VERDICTS).read_bytes()).hexdigest()
        (folder / _PDF).write_bytes(pdf(province, assessment, sheet, scores, digest))
    finally:
        progress.clear()


def _refuse_beside(option: str, args: Namespace, *names: str) -> None:
    """What would have no effect is a mistake."""
    for name in names:
        given = getattr(args, name)
        if given is not None and given is not False and given != []:  # --sample 0 is given
            name = name.replace("_", "-")
            raise UserError(
                f"--{name} không dùng cùng với {option}", f"--{name} is not allowed with {option}", status=2
            )


def _refuse(out: Path) -> None:
    """Before the audit, not after it. Nothing that is there is overwritten: the next report is compared with it."""
    if (out / seal.SUMS).exists():
        raise UserError(
            f"{out} đã có một báo cáo; chọn thư mục khác, và thêm --previous {out} để so với lần ấy",
            f"{out} holds a report already; choose another folder, and compare with that one by --previous {out}",
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            f"{out} đã có và không trống; chọn thư mục mới", f"{out} is there and not empty; choose a new folder"
        )
    if not out.parent.is_dir():
        raise UserError(f"không có thư mục {out.parent}", f"there is no folder {out.parent}")
    if out == Path.cwd():  # it is put in its place by renaming, and whoever stands in it would stand nowhere
        raise UserError(f"{out} là thư mục đang đứng; chọn thư mục mới", f"you are in {out}; choose a new folder")
    try:
        with _beside(out):
            pass
    except OSError as error:
        why = error.strerror
        raise UserError(f"không ghi được vào {out.parent}: {why}", f"can't write into {out.parent}: {why}") from None


def _beside(out: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent)


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes it when all went well, and vanishes otherwise."""
    with _beside(out) as scratch:
        folder = Path(scratch) / out.name
        folder.mkdir()
        yield folder
        folder.replace(out)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} không phải UTF-8", f"{path} is not UTF-8") from None


def _read(path: Path, province: Province, earlier: bool = False) -> Assessment:
    """A finished assessment of the same province, from its file or a report's folder. Raises UserError."""
    file = path / _VERDICTS if path.is_dir() else path
    try:
        found = read(_text(file), earlier)
    except ValueError as error:
        words = plain(str(error))
        raise UserError(f"{file} không dùng được: {words}", f"{file} can't be used: {words}") from None
    if found.province != province.settings.id:
        raise UserError(
            f"{file} là của tỉnh {plain(found.province)}, không phải {province.settings.id}",
            f"{file} is of the province {plain(found.province)}, not of {province.settings.id}",
        )
    return found


def _earlier(path: Path, province: Province) -> Earlier:
    """An assessment of an earlier day, by its report, a file of that, or its own file.

    Raises UserError where a report is not as its list says, or wrongly signed. By whom it is signed it says itself.
    """
    folder = path.parent if path.name in _NAMES and path.is_file() else path
    file = folder / _VERDICTS if folder.is_dir() else folder
    assessment = _read(file, province, earlier=True)
    signed = Words("chưa ký", "not signed")
    try:
        if folder.is_dir() and (folder / seal.SUMS).exists():
            listing, said = _listing(folder)
            if seal.compare(said, _digests(folder)):
                raise seal.SealError(f"không còn đúng như {seal.SUMS}", f"it is not as its {seal.SUMS} says any more")
            if (folder / seal.SIGNATURE).exists():
                key = _signer(folder, listing)
                whose, mark = _whose(key, province), seal.fingerprint(key)
                unknown = Words(f"ký bằng khóa lạ {mark}", f"signed with an unknown key, {mark}")
                signed = Words(f"{whose} ký, {mark}", f"signed by {whose}, {mark}") if whose else unknown
    except seal.SealError as error:
        raise UserError(f"{path}: {error.vi}", f"{path}: {error.en}") from None
    return Earlier(assessment, hashlib.sha256(file.read_bytes()).hexdigest(), signed)


def _refuse_later(before: Earlier | None, at: datetime) -> None:
    """Nothing has changed since a day that is not past."""
    if before and before.assessment.at >= at:
        when = f"{before.assessment.local:%H:%M %d/%m/%Y}"
        raise UserError(
            f"--previous: lần kiểm tra ấy ({when}) không trước lần này",
            f"--previous: that audit ({when}) is not earlier than this one",
        )


def _listing(folder: Path) -> tuple[bytes, dict[str, str]]:
    """The list of a report: as it was signed, and the digests that it says. Raises SealError."""
    listing = (folder / seal.SUMS).read_bytes()
    return listing, seal.listed(listing.decode("utf-8", "replace"))


def _signer(folder: Path, listing: bytes) -> str:
    """The public key that signed a report's list. Raises SealError."""
    return seal.signer(listing, (folder / seal.SIGNATURE).read_text(encoding="ascii", errors="replace"))


# --- signing ---


def _keygen(*words: str) -> str:
    try:
        done = subprocess.run(["ssh-keygen", *words], capture_output=True, encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise UserError(
            "thiếu ssh-keygen: cài openssh-client", "ssh-keygen is missing: install openssh-client"
        ) from None
    if done.returncode:
        said = plain(" ".join(done.stderr.split())[-300:])
        raise UserError(f"ssh-keygen không làm được: {said}", f"ssh-keygen failed: {said}")
    return done.stdout


def _refuse_key(path: Path) -> None:
    """Before hosts are asked, not after it: a key that can't sign. Raises UserError."""
    kind = _keygen("-l", "-f", str(path)).strip().rpartition(" ")[2]
    if kind != "(ED25519)":
        raise UserError(
            f"{path} là khóa {kind}; báo cáo chỉ ký bằng Ed25519 (ssh-keygen -t ed25519)",
            f"{path} is a key of type {kind}; reports are signed with Ed25519 alone (ssh-keygen -t ed25519)",
        )


def _sign(folder: Path, key: Path) -> str:
    """Sign the list; the public key. ssh-keygen asks for a passphrase itself, on the terminal, or asks the agent.

    A wrong passphrase must not cost an audit: the report stays, unsigned, and UserError says how to sign it.
    """
    words = ["-Y", "sign", "-q", "-f", str(key), "-n", seal.NAMESPACE, str(folder / seal.SUMS)]
    try:
        _keygen(*words)
    except UserError as error:
        later = f"ssh-keygen {shlex.join(words)}"
        raise UserError(
            f"{error.vi}. Báo cáo đã ghi nhưng CHƯA KÝ; ký sau bằng: {later}",
            f"{error.en}. The report is written and NOT SIGNED; sign it later with: {later}",
        ) from None
    return seal.signer((folder / seal.SUMS).read_bytes(), (folder / seal.SIGNATURE).read_text(encoding="ascii"))


def _public(path: Path) -> str:
    """A public key from its file, without its comment. Raises UserError."""
    words = _text(path).split()
    if len(words) < 2 or words[0] != seal.KEY_TYPE:
        raise UserError(
            f"{path} không phải tệp khóa công khai Ed25519 (.pub)", f"{path} is no file of an Ed25519 public key (.pub)"
        )
    return " ".join(words[:2])


def _whose(key: str, province: Province) -> str:
    names = [auditor.name for auditor in province.auditors if auditor.ssh_key.split()[:2] == key.split()]
    return ", ".join(names)


# --- checking ---


def _digests(folder: Path) -> dict[str, str]:
    """By name; of what is no plain file a word that is no digest."""
    result = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                result[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        else:
            result[path.name] = "not a file"
    return result


def _check(path: Path, inventory: Path | None, own: Path | None) -> int:
    """Say what holds of a report, most serious first. Good is only what ``own``, or an auditor's key, has signed.

    An inventory may be whoever's is audited: only ``own`` is a key that whoever checks has by another way.
    """
    province = load(inventory) if inventory else None
    trusted = _public(own) if own else None
    folder = path if path.is_dir() else path.parent
    if not path.exists() or not (folder / seal.SUMS).is_file():
        raise UserError(
            f"{path} không nằm trong một báo cáo: không có {folder / seal.SUMS}",
            f"{path} is not part of a report: there is no {folder / seal.SUMS}",
        )
    good = True

    def bad(vi: str, en: str) -> None:
        nonlocal good
        good = False
        print(say(vi, en))

    try:
        listing, said = _listing(folder)
    except seal.SealError as error:
        raise UserError(error.vi, error.en) from None
    broken = seal.compare(said, _digests(folder))
    for name in broken.changed:
        bad(f"ĐÃ BỊ SỬA: {name}", f"CHANGED: {name}")
    for name in broken.missing:
        bad(f"THIẾU: {name}", f"MISSING: {name}")
    for name in broken.added:
        bad(f"THỪA, không thuộc báo cáo: {plain(name)}", f"ADDED, no part of the report: {plain(name)}")
    for name in (_VERDICTS, _HTML):
        if name not in said:
            bad(f"KHÔNG CÓ TRONG {seal.SUMS}: {name}", f"NOT IN {seal.SUMS}: {name}")
    if good:
        print(say(f"{len(said)} tệp đúng như {seal.SUMS}", f"{len(said)} files are as {seal.SUMS} says"))
        _tell(folder, province, bad)
    if not (folder / seal.SIGNATURE).exists():
        bad("CHƯA KÝ: ai cũng có thể sửa mà không lộ", "NOT SIGNED: anybody can change it unseen")
        return 1
    try:
        key = _signer(folder, listing)
    except seal.SealError as error:
        bad(f"CHỮ KÝ SAI: {error.vi}", f"WRONG SIGNATURE: {error.en}")
        return 1
    mark = seal.fingerprint(key)
    if trusted is None and province is None:
        print(
            say(
                f"Ký bằng khóa {mark}; không biết khóa ấy của ai: thêm --key hay INVENTORY, hoặc đối chiếu dấu vân tay",
                f"Signed with key {mark}; whose it is, is not known here: name --key or INVENTORY, or compare the "
                "fingerprint",
            )
        )
        return _UNKNOWN_KEY if good else 1
    whose = (key == trusted and str(own)) if trusted else province and _whose(key, province)
    if not whose:
        where = str(own) if own else "auditors/"
        print(say(f"KHÓA LẠ: {mark} không có trong {where}", f"UNKNOWN KEY: {mark} is not in {where}"))
        return _UNKNOWN_KEY if good else 1
    print(say(f"Chữ ký đúng: {whose}, {mark}", f"The signature holds: {whose}, {mark}"))
    if good:
        print(say("Nguyên vẹn từ khi ký.", "Unchanged since it was signed."))
    return 0 if good else 1


def _tell(folder: Path, province: Province | None, bad: Callable[[str, str], None]) -> None:
    """Whose the report is, of when, and of how much: an old one, or one of another province, is as sound as any."""
    try:
        found = read(_text(folder / _VERDICTS), earlier=True)
    except ValueError as error:
        words = plain(str(error))
        return bad(f"KHÔNG DÙNG ĐƯỢC: {_VERDICTS}: {words}", f"CAN'T BE USED: {_VERDICTS}: {words}")
    extent = []
    if found.incomplete:
        extent.append(say("CHƯA TRỌN VẸN", "INCOMPLETE"))
    if found.left:
        left = ", ".join(found.left)
        extent.append(say(f"MỘT PHẦN, không hỏi {left}", f"PARTIAL, not asked: {left}"))
    if not extent and found.subject:  # files of before do not say what was left
        extent.append(say("trọn vẹn", "whole"))
    when = f"{found.local:%H:%M %d/%m/%Y} (UTC+7)"
    hosts = say(f"máy chủ: {', '.join(found.hosts)}", f"hosts: {', '.join(found.hosts)}")
    print(plain("; ".join([say(f"Tỉnh {found.province}", f"Province {found.province}"), when, *extent, hosts])))
    if province and found.province != province.settings.id:
        bad(
            f"CỦA TỈNH KHÁC: inventory là của {province.settings.id}",
            f"OF ANOTHER PROVINCE: the inventory is {province.settings.id}'s",
        )
    return None
