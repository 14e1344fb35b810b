#!/usr/bin/python3 -B
"""What an auditor may ask of a mail host, through sudo: an audit's one-time token and sign-in, and facts.

While an audit is open, a message that carries its token is filed into the folder edumail-audit of the real mailbox,
and its sign-in opens that folder of any mailbox by IMAP. Both end with the audit, or by themselves after an hour.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import edumail_host
from edumail_passwords import CODE_TRIES, CONTEXT
from edumail_store import DATABASE, as_owner

SIEVE = Path("/var/lib/edumail/audit/audit.sieve")
MINISTRY = Path(__file__).resolve().with_name("ministry")
"""The Ministry's lists, an address a line: the only correspondents of other people that an auditor may ask about."""
PROVINCE = Path(__file__).resolve().with_name("province.json")
"""``domains`` of the province, and how many ``letters`` an audit of all its units sends at most."""
ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+")
PROGRAM = re.compile(r"\{SHA512\}[A-Za-z0-9+/]{86}==")
"""How the account pages keep a program's password."""
MESSAGE_ID = re.compile(r"audit\.[0-9a-f]{24}@kiemtra\.invalid")
"""Without brackets, of an audit's letters and of nobody else's."""
ACCOUNTS = "/usr/local/sbin/edumail-accounts"
GROUP = "vmail"
TOKENS = "edumail-audit"
FOLDER = "edumail-audit"
"""As Dovecot's configuration gives it to an auditor, who reads what lies in it: no name of a folder of people's own."""
SECONDS = 3600


def ask(database: sqlite3.Connection, statement: str, *values: object) -> list[sqlite3.Row]:
    """The rows of a statement, as whom the database belongs to."""
    with as_owner(DATABASE):
        return database.execute(statement, values).fetchall()


def script(tokens: list[str]) -> str:
    """The global Sieve script (RFC 5228) for the audits that are open."""
    if not tokens:
        return "# no audit is open\n"
    listed = ", ".join(f'"{token}"' for token in tokens)
    return (
        'require ["fileinto", "mailbox"];\n'
        f'if header :is "X-Edumail-Audit" [{listed}] {{ fileinto :create "{FOLDER}"; stop; }}\n'
    )


def install(text: str) -> None:
    """Switch the script, and compile it where it stands: a binary remembers the place of its script."""
    new = SIEVE.with_name("new.sieve")
    new.write_text(text, encoding="ascii")
    shutil.chown(new, "root", GROUP)
    new.replace(SIEVE)
    subprocess.run(["/usr/bin/sievec", SIEVE], check=True, capture_output=True, text=True)
    shutil.chown(SIEVE.with_suffix(".svbin"), "root", GROUP)
    SIEVE.with_suffix(".svbin").chmod(0o640)


def tell_filter(tokens: list[str]) -> None:
    """Let Rspamd know by Redis whose probes are not to be put off; without Redis they are."""
    words = [f"SADD {TOKENS} {token}" for token in tokens] + [f"EXPIRE {TOKENS} {SECONDS}"]
    commands = "\n".join([f"DEL {TOKENS}", *words]) + "\n"
    subprocess.run(["/usr/bin/redis-cli"], input=commands, capture_output=True, text=True, check=False)


def refresh(database: sqlite3.Connection, now: int) -> None:
    """Forget audits that have ended; install the script of the others, and tell the filter of them."""
    ask(database, "DELETE FROM audit WHERE expires <= ?", now)
    ask(database, "DELETE FROM audit_letters WHERE token NOT IN (SELECT token FROM audit)")
    tokens = [row[0] for row in ask(database, "SELECT token FROM audit ORDER BY token")]
    install(script(tokens))
    tell_filter(tokens)


def open_audit(database: sqlite3.Connection, now: int, outside: str = "") -> dict[str, object]:
    """A new audit: its login, password and token, and when it ends (seconds since 1970).

    outside: the one address of nobody in the province that it may send to. Raises ValueError where it is none.
    """
    if outside and not ADDRESS.fullmatch(outside):
        raise ValueError(f"not an address: {outside}")
    login, password, token = f"auditor-{secrets.token_hex(4)}", secrets.token_urlsafe(18), secrets.token_hex(16)
    # Nobody guesses 144 bits, so a fast hash is enough; an audit signs in to every mailbox that it has a letter for.
    hashed = "{SHA512}" + b64encode(hashlib.sha512(password.encode()).digest()).decode()
    expires = now + SECONDS
    ask(database, "INSERT INTO audit VALUES (?, ?, ?, ?)", login, token, hashed, expires)
    ask(database, "INSERT INTO audit_letters VALUES (?, ?, 0)", token, outside.lower())
    refresh(database, now)
    return {"login": login, "password": password, "token": token, "expires": expires, "folder": FOLDER}


def clear(database: sqlite3.Connection, tokens: list[str]) -> None:
    """Take out probes that nobody has taken: where something is wrong, one may have come to another mailbox.

    A folder that is empty then goes too; Dovecot deletes it only as long as it is. Where no other audit is open, what
    audits left that were killed goes as well.
    """
    homes = ask(database, "SELECT address, home FROM account")
    having = [address for address, home in homes if Path(home, "Maildir", f".{FOLDER}").is_dir()]
    if not having:
        return
    if not ask(database, "SELECT 1 FROM audit"):
        tokens = [""]  # of whomever
    with tempfile.NamedTemporaryFile("w") as addresses:
        addresses.writelines(f"{address}\n" for address in having)
        addresses.flush()
        doveadm, of = "/usr/bin/doveadm", ["-F", addresses.name]
        for token in tokens:
            words = ["expunge", *of, "mailbox", FOLDER, "header", "X-Edumail-Audit", token]
            subprocess.run([doveadm, *words], check=True, capture_output=True, text=True)
        subprocess.run([doveadm, "mailbox", "delete", *of, "-e", FOLDER], check=False, capture_output=True, text=True)


def send(database: sqlite3.Connection, probes: list[dict[str, str]], tokens: list[str]) -> dict[str, str]:
    """Send probes as mailboxes of this host: each has sender, recipient and message_id. The text is always the same.

    Gives by message_id why a probe was not sent; empty for those that were. Only tokens can make a probe invisible to
    people, so probes without one of an open audit of this host are refused; what goes outside carries none. Refused are
    also recipients that are neither in the province nor the one outside that this audit named, letters beyond what an
    audit needs, and Message-IDs that are no audit's. Raises ValueError.
    """
    known = {row[0] for row in ask(database, "SELECT token FROM audit")}
    mailboxes = {row[0] for row in ask(database, "SELECT address FROM account WHERE state <> 'closed'")}
    mine = sorted(known.intersection(tokens))
    if not mine:
        raise ValueError("không có lần kiểm tra nào với mã này đang mở ở đây / no audit with these tokens is open here")
    province = json.loads(PROVINCE.read_text(encoding="utf-8"))
    left, outside = reserved(database, mine, len(probes), province["letters"])
    headers = "".join(f"X-Edumail-Audit: {token}\n" for token in tokens if re.fullmatch("[0-9a-f]{32}", token))
    result = {}
    for number, probe in enumerate(probes):
        sender, recipient, message_id = probe["sender"], probe["recipient"], probe["message_id"]
        if number >= left:
            result[message_id] = (
                f"lần kiểm tra này đã gửi đủ số thư / this audit has sent its letters: {province['letters']}"
            )
            continue
        if sender not in mailboxes:
            result[message_id] = f"{sender}: không phải hộp thư ở máy này / not a mailbox of this host"
            continue
        if not ADDRESS.fullmatch(recipient) or not MESSAGE_ID.fullmatch(message_id):
            result[message_id] = (
                "không phải địa chỉ, hay Message-ID của một lần kiểm tra"
                f" / not an address, or not a Message-ID of an audit: {recipient} {message_id}"
            )
            continue
        inside = recipient.lower().rpartition("@")[2] in province["domains"]
        if not inside and recipient.lower() not in outside:
            result[message_id] = (
                f"{recipient}: không ở trong tỉnh, cũng không phải địa chỉ ngoài mà lần kiểm tra nêu"
                " / neither in the province nor the address outside that this audit named"
            )
            continue
        text = (
            f"From: {sender}\nTo: {recipient}\nSubject: edumail audit\nMessage-ID: <{message_id}>\n"
            f"{headers if inside else ''}"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
            "Thư kiểm tra tự động / an automatic audit probe.\n"
        )
        command = ["/usr/sbin/sendmail", "-i", "-f", sender, "--", recipient]
        done = subprocess.run(command, input=text.encode(), check=False, capture_output=True)
        result[message_id] = f"sendmail: {done.stderr.decode(errors='replace')[:200]}" if done.returncode else ""
    return result


def reserved(database: sqlite3.Connection, tokens: list[str], wanted: int, most: int) -> tuple[int, set[str]]:
    """How many more letters, of those that are wanted, all of these audits may send, and what they named outside."""
    places = ", ".join("?" for _ in tokens)
    ask(database, "BEGIN IMMEDIATE")
    rows = ask(database, f"SELECT sent, outside FROM audit_letters WHERE token IN ({places})", *tokens)
    allowed = max(0, min([wanted, *(most - row[0] for row in rows)])) if len(rows) == len(tokens) else 0
    ask(database, f"UPDATE audit_letters SET sent = sent + ? WHERE token IN ({places})", allowed, *tokens)
    ask(database, "COMMIT")
    return allowed, {row[1] for row in rows} - {""}


def trace(message_ids: list[str], since: int) -> dict[str, list[dict[str, str]]]:
    """What Postfix logged of each letter of an audit on this host: to whom, for which original address, how it ended.

    Of people's letters nothing is told. Raises ValueError where one is asked for.
    """
    if not all(map(MESSAGE_ID.fullmatch, message_ids)):
        raise ValueError("chỉ được hỏi về thư của một lần kiểm tra / only an audit's letters may be asked about")
    command = ["/usr/bin/journalctl", f"--since=@{since}", "_SYSTEMD_UNIT=postfix.service", "-o", "cat", "--no-pager"]
    log = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
    wanted = set(message_ids)
    queue: dict[str, str] = {}
    result: dict[str, list[dict[str, str]]] = {message_id: [] for message_id in message_ids}
    for line in log.splitlines():
        if (found := re.match(r"([0-9A-Za-z]+): message-id=<([^>]*)>", line)) and found[2] in wanted:
            queue[found[1]] = found[2]
        elif (found := re.match(r"([0-9A-Za-z]+): to=<([^>]*)>,(?: orig_to=<([^>]*)>,)? relay=([^,]*),", line)) and (
            message_id := queue.get(found[1])
        ):
            status = re.search(r"status=(\w+) \((.*)\)$", line)
            result[message_id].append(
                {
                    "to": found[2],
                    "orig_to": found[3] or found[2],
                    "relay": found[4],
                    "status": status[1] if status else "",
                    "reply": status[2][:200] if status else "",
                }
            )
    return result


def received(senders: list[str], days: int) -> list[dict[str, str]]:
    """The newest messages that this host took from these envelope senders in so many days, and how each ended.

    One that was put off for a while and came through in the end, ended well.
    """
    if not set(MINISTRY.read_text(encoding="ascii").split()).issuperset(senders):
        raise ValueError("chỉ được hỏi về danh sách của Bộ / only the Ministry's lists may be asked about")
    names = "|".join(map(re.escape, senders))
    log = ["/usr/bin/journalctl", f"--since=-{days}d", "_SYSTEMD_UNIT=postfix.service", "-o", "cat", "--no-pager"]
    taken = _matching([*log, "--case-sensitive=no", f"--grep=^[0-9A-Za-z]+: from=<({names})>"])
    result = []
    for line in taken.splitlines()[-5:]:
        queue, _, rest = line.partition(": ")
        last = {}
        for end in _matching([*log, f"--grep=^{queue}: to="]).splitlines():
            if found := re.search(r"to=<([^>]*)>.*status=(\w+)", end):
                last[found[1]] = found[2]
        sender = rest.partition("<")[2].partition(">")[0]
        result += [{"from": sender, "to": to, "status": status} for to, status in last.items()]
    return result


def _matching(command: list[str]) -> str:
    """What journalctl prints; no line that matches is no error."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode not in (0, 1):
        raise ValueError(done.stderr)
    return done.stdout


def seers(database: sqlite3.Connection, mailboxes: list[dict[str, Any]]) -> list[list[str]]:
    """Of each shared mailbox, given with address and people: those of them who may see and read it.

    That is what the running Dovecot answers, to one question for all people of a mailbox.
    """
    known = {row[0] for row in ask(database, "SELECT address FROM account WHERE state <> 'closed'")}
    result = []
    for mailbox in mailboxes:
        if not known.issuperset([mailbox["address"], *mailbox["people"]]):
            raise ValueError("không phải hộp thư ở máy này / not mailboxes of this host")
        with tempfile.NamedTemporaryFile("w") as people:  # doveadm jumps about in it: a pipe will not do
            people.writelines(f"{person}\n" for person in mailbox["people"])
            people.flush()
            words = ["acl", "rights", "-F", people.name, f"Donvi/{mailbox['address']}"]
            done = subprocess.run(["/usr/bin/doveadm", "-f", "tab", *words], check=True, capture_output=True, text=True)
        rows = (row.partition("\t") for row in done.stdout.splitlines()[1:])
        rights = {person: set(words.split()) for person, _, words in rows}
        if rights.keys() != set(mailbox["people"]):
            raise ValueError(f"doveadm answered of {len(rights)} people instead of {len(mailbox['people'])}")
        result.append([person for person in mailbox["people"] if {"lookup", "read"} <= rights[person]])
    return result


def facts(database: sqlite3.Connection) -> dict[str, object]:
    """The accounts as the database has them and as the running Dovecot answers; no names, no secrets.

    Of each: with what its password is hashed, whether another account has the same hash, the rule for a new password,
    who holds it, and what it is that waits: one with a ``code`` that works, one that is ``suspended``, one whose code
    has ``ended``, one that has ``none``.
    """
    now = int(time.time())
    holders: dict[str, list[str]] = {}
    for address, holder in ask(database, "SELECT address, holder FROM holding ORDER BY address, holder"):
        holders.setdefault(address, []).append(holder)
    rows = ask(
        database,
        "SELECT address, unit, person, state, hash, password_characters, password_classes,"
        " hash IN (SELECT hash FROM account WHERE hash IS NOT NULL GROUP BY hash HAVING count(*) > 1),"
        " CASE WHEN state <> 'waiting' THEN NULL WHEN code IS NOT NULL AND code_expires >= ? AND code_tries < ?"
        " THEN 'code' WHEN suspended THEN 'suspended' WHEN code IS NOT NULL THEN 'ended' ELSE 'none' END"
        " FROM account ORDER BY address",
        now,
        CODE_TRIES,
    )
    accounts = [
        {
            "address": address,
            "unit": unit,
            "person": person,
            "state": state,
            "scheme": CONTEXT.identify(hashed) or "unknown" if hashed else None,
            "rule": [characters, classes],
            "alike": bool(alike),
            "holders": holders.get(address, []),
            "waits": waits,
        }
        for address, unit, person, state, hashed, characters, classes, alike, waits in rows
    ]
    users = subprocess.run(["/usr/bin/doveadm", "user", "*"], check=True, capture_output=True, text=True).stdout
    return {"accounts": accounts, "dovecot_users": sorted(users.split()), "time": now}


def programs(database: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """By unit how many passwords of mail programs there are of each scheme."""
    found: dict[str, dict[str, int]] = {}
    rows = ask(
        database, "SELECT unit, app_password.hash FROM app_password JOIN account USING (address) ORDER BY unit, address"
    )
    for unit, hashed in rows:
        scheme = "SHA512" if PROGRAM.fullmatch(hashed) else CONTEXT.identify(hashed) or "unknown"
        schemes = found.setdefault(unit, {})
        schemes[scheme] = schemes.get(scheme, 0) + 1
    return found


def main(words: list[str]) -> int:
    """One of the commands below; requests are JSON on standard input, answers JSON on standard output."""
    os.umask(0o027)
    now = int(time.time())
    with as_owner(DATABASE):
        database = sqlite3.connect(DATABASE, isolation_level=None, timeout=30)
    match words:
        case ["open", *outside] if len(outside) < 2:
            print(json.dumps(open_audit(database, now, *outside)))
        case ["close", login]:
            tokens = [row[0] for row in ask(database, "SELECT token FROM audit WHERE login = ?", login)]
            ask(database, "DELETE FROM audit WHERE login = ?", login)
            refresh(database, now)
            clear(database, tokens)
        case ["refresh"]:
            refresh(database, now)
        case ["send"]:
            request = json.load(sys.stdin)
            print(json.dumps(send(database, request["probes"], request["tokens"])))
        case ["trace"]:
            request = json.load(sys.stdin)
            print(json.dumps(trace(request["message_ids"], int(request["since"]))))
        case ["seers"]:
            request = json.load(sys.stdin)
            print(json.dumps(seers(database, request["mailboxes"])))
        case ["received"]:
            request = json.load(sys.stdin)
            print(json.dumps(received(request["senders"], int(request["days"]))))
        case ["facts"]:
            print(json.dumps({**facts(database), "programs": programs(database)}))
        case ["unopened"]:
            print(subprocess.run([ACCOUNTS, "unopened"], check=True, capture_output=True, text=True).stdout)
        case ["trees"]:
            print(json.dumps(edumail_host.trees()))
        case ["system"]:
            print(json.dumps(edumail_host.system()))
        case _:
            commands = "open [OUTSIDE] | close LOGIN | refresh | send | trace | received | seers | facts | unopened"
            print(f"edumail-audit {commands} | trees | system", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"edumail-audit: {error}: {error.stderr}")
    except (OSError, ValueError, KeyError, sqlite3.Error) as error:
        sys.exit(f"edumail-audit: {type(error).__name__}: {error}")
