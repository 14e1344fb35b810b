"""The ``edumail`` command: thin words around the core, in Vietnamese and English.

Results go to stdout, everything else to stderr. Exit status: 0 done; 1 something a user must mend (each command
may give others a meaning, see its help); 2 wrong usage; 70 a mistake of edumail's own; 130 interrupted.

A command is a module here with ``add_parser(commands)``, which must ``set_defaults(run=run)``, and
``run(args) -> int``; its name in ``_COMMANDS`` makes it known. What only one command needs it imports inside ``run``,
so that ``check`` does not wait for what ``deploy`` wants.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import traceback
from collections.abc import Sequence

from edumail.cli import (
    accounts,
    check,
    deploy,
    dns,
    example,
    explain,
    former,
    group,
    lab,
    mailboxes,
    portal,
    report,
    roster,
    verify,
)
from edumail.cli.language import Parser, UserError, choose, say
from edumail.cli.problems import print_problems
from edumail.problems import InventoryError

_COMMANDS = (
    check,
    explain,
    example,
    group,
    former,
    roster,
    portal,
    deploy,
    accounts,
    mailboxes,
    verify,
    report,
    dns,
    lab,
)

_USER, _INTERNAL, _INTERRUPTED = 1, 70, 130  # 70 is EX_SOFTWARE of sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status. No exception leaves it but the SystemExit of usage and --help."""
    words = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream that a caller put there
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    choose(words, os.environ)
    try:
        args = _parser().parse_args(words)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except UserError as error:
        _complain(say(error.vi, error.en))
        return error.status
    except InventoryError as error:
        print_problems(error.problems, sys.stderr)
        return _USER
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _USER
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _complain(f"{name}{error.strerror or error}")
        return _USER
    except KeyboardInterrupt:
        _complain(say("đã dừng theo yêu cầu", "interrupted"))
        return _INTERRUPTED
    except Exception:
        _complain(_internal_error(traceback.format_exc()))
        return _INTERNAL


def _parser() -> Parser:
    parser = Parser(
        prog="edumail",
        description=say(
            "Thư điện tử và cổng thông tin cho mọi đơn vị giáo dục của một tỉnh, từ một thư mục mô tả.",
            "Mail and portal for every education unit of a province, from one folder that describes it.",
        ),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar=say("LỆNH", "COMMAND"))
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def _complain(message: str) -> None:
    print(f"edumail: {message}", file=sys.stderr)


def _internal_error(details: str) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="edumail-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(details)
    except OSError:
        last = details.strip().splitlines()[-1]
        return say(f"lỗi của chính edumail: {last}", f"a mistake of edumail's own: {last}")
    return say(
        f"lỗi của chính edumail, không phải của bạn; chi tiết để báo lỗi nằm ở {file.name}",
        f"a mistake of edumail's own, not yours; the details to report are in {file.name}",
    )
