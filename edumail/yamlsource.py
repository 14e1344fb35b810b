"""YAML with a line and a column for every value, read with libyaml."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import yaml

from edumail.problems import Problem, Where

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}\.[0-9]{1,18}")

# A date, a sexagesimal or an octal number written without quotes would change its meaning behind the writer's back:
# 0251 is the beginning of a telephone number.
_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:int": lambda text: int(text) if _INTEGER.fullmatch(text) else text,
    "tag:yaml.org,2002:float": lambda text: float(text) if _DECIMAL.fullmatch(text) else text,
}
_DEEPEST = 30
_TOO_DEEP = ("lồng nhau quá sâu; viết phẳng hơn", "nested too deeply; write it flatter")
_HARMLESS = 500
_INDENTED = re.compile(rf"^[ ?:-]{{{_HARMLESS}}}", re.MULTILINE)
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BOOLEANS = {"true": True, "false": False}


@dataclass
class Document:
    """The plain value of a YAML file, and what could not be read."""

    file: str
    value: Any = None
    problems: list[Problem] = field(default_factory=list)
    readable: bool = True
    """Whether ``value`` is what the file says."""
    text: str | None = None
    """The file, where ``value`` was known before it was read: for the places, should one be asked for."""

    @cached_property
    def places(self) -> dict[Path, Where]:
        """Of each value by its path."""
        return {} if self.text is None else read_yaml(self.file, self.text).places

    def where(self, path: Path) -> Where:
        """The place of the value at ``path``, or of the nearest one above it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Where(self.file, 1, 1))


def read_yaml(file: str, text: str) -> Document:
    """Read one file. Never raises for bad input: with mistakes in ``problems`` the value is not to be used."""
    document = Document(file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        deep = _too_deep(text, loader)
        root = yaml.compose(text, Loader=loader) if deep is None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Where(file, mark.line + 1, mark.column + 1) if mark else Where(file, 1, 1)
        vi, en = "xem lại thụt lề, dấu hai chấm và dấu ngoặc kép", "look at indentation, colons and quotes"
        if str(error.problem).startswith("mapping values"):
            # By far the most frequent: a title such as «Thông báo: nghỉ học».
            vi = f"trong giá trị có dấu hai chấm thì đặt cả giá trị trong ngoặc kép, hoặc {vi}"
            en = f"a value with a colon in it goes into quotes; otherwise {en}"
        document.problems.append(
            Problem(
                where,
                "yaml-syntax",
                f"không đọc được YAML ở đây ({error.problem}); {vi}",
                f"this is not YAML ({error.problem}); {en}",
            )
        )
        return document
    except (yaml.YAMLError, ValueError):
        unreadable = _UNREADABLE.search(text)
        before = text[: unreadable.start()] if unreadable else ""
        where = Where(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        document.problems.append(
            Problem(
                where,
                "yaml-syntax",
                "có ký tự điều khiển mà YAML không cho phép; xóa rồi gõ lại",
                "a control character stands here that YAML does not allow; delete it and type again",
            )
        )
        return document
    if deep is not None:
        document.problems.append(Problem(Where(file, deep.line + 1, deep.column + 1), "yaml-nesting", *_TOO_DEEP))
    elif root is not None:
        document.value = _Builder(document).build(root, ())
    return document


def _too_deep(text: str, loader: Any) -> Any:
    """The mark where nesting becomes a danger: libyaml's composer recurses in C and crashes the process. Or None."""
    if text.count("[") + text.count("{") < _HARMLESS and not _INDENTED.search(text):
        return None
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _HARMLESS:
                return event.start_mark
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


class _Builder:
    def __init__(self, document: Document):
        self.document = document
        self.open: set[int] = set()

    def problem(self, node: yaml.Node, code: str, vi: str, en: str) -> None:
        self.document.problems.append(Problem(self.place(node), code, vi, en))

    def place(self, node: yaml.Node) -> Where:
        return Where(self.document.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def build(self, node: yaml.Node, path: Path) -> Any:
        if id(node) in self.open:  # libyaml gives an alias as the very node of its anchor
            self.problem(
                node,
                "yaml-alias",
                "không dùng neo và bí danh YAML (& và *); viết lại giá trị ở đây",
                "YAML anchors and aliases (& and *) are not used here; write the value out",
            )
            return None
        if len(path) > _DEEPEST:
            self.problem(node, "yaml-nesting", *_TOO_DEEP)
            return None
        self.open.add(id(node))
        self.document.places[path] = self.place(node)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, (*path, index)) for index, child in enumerate(node.value)]
        text: str = node.value
        if node.tag == "tag:yaml.org,2002:bool":
            # YAML 1.1 reads no, off, n as false: a unit named "No" would vanish. Only true and false are booleans.
            return _BOOLEANS.get(text.lower(), text)
        return _SCALARS.get(node.tag, str)(text)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.problem(
                    key_node,
                    "yaml-key",
                    "khóa phải là một từ, không phải danh sách hay bảng",
                    "a key must be a word, not a list or a mapping",
                )
                continue
            key = key_node.value
            if key in result:
                self.problem(
                    key_node,
                    "yaml-duplicate-key",
                    f"khóa «{key}» viết hai lần; xóa một",
                    f"key '{key}' is written twice; delete one",
                )
            result[key] = self.build(value_node, (*path, key))
            if value_node.start_mark.index == value_node.end_mark.index:
                self.document.places[(*path, key)] = self.place(key_node)
        return result
