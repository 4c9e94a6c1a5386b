"""Policy text: the places of its rules and of its syntax errors.

The engine reports an error without its place. Its parser recurses, so text with several hundred
nested brackets would overflow the stack and end the process. This module therefore cuts the text
into tokens before the engine sees it. Invariants: no text beyond MAX_NESTING or MAX_RULE_TOKENS
reaches the engine; every ``BadPolicy`` raised here for a place in the text names its line and
column, both counted from 1.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cedarpy

from comity.record.errors import BadPolicy

MAX_NESTING: Final = 64
"""Brackets within brackets in one rule: the engine's parser overflows its stack near 1,000."""

MAX_RULE_TOKENS: Final = 2_000
"""Words and signs of one rule: a list of 256 institutes has 512, and 3,000 operators still pass."""

_BYTE_ORDER_MARK: Final = "\ufeff"
_TOKEN: Final = re.compile(
    r"""(?P<gap>\s+|//[^\n]*)|"(?:\\.|[^"\\])*"|\w+|::|==|!=|<=|>=|&&|\|\||.""", re.DOTALL
)
_EFFECTS: Final = ("permit", "forbid")
_SCOPE: Final = ", action, resource)"
_CHOICE: Final = " then true else true"
_CLOSING: Final = {"(": ")", "[": "]", "{": "}", "if": _CHOICE}
_CLOSERS: Final = (")", "]", "}", "else")
_GOES_ON: Final = {
    (",", _SCOPE): ", resource)",
    (",", ", resource)"): ")",
    ("then", _CHOICE): " else true",
}
"""The text that remains to be closed, by a word and by the text to be closed before that word."""

_UNFINISHED: Final = "unexpected end of input"
_BLAMED_ON_END: Final = (None, _UNFINISHED, "unexpected token `;`")


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule's tokens, each a (start, end) pair of offsets into the policy's text."""

    text: str
    tokens: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """Offset of the first token."""
        return self.tokens[0][0]

    def prefix(self, count: int) -> str:
        """Return the text of the first ``count`` tokens, with the gaps between them."""
        return self.text[self.start : self.tokens[count - 1][1]]

    def words(self) -> list[str]:
        """Return the tokens' texts."""
        return [self.text[start:end] for start, end in self.tokens]

    def closed(self, count: int) -> str:
        """Return the first ``count`` tokens, completed to a rule without its semicolon."""
        return self.prefix(count) + _closing(self.words()[:count])

    def find(self, *words: str) -> int:
        """Return the offset at which the words first stand side by side, else the rule's start."""
        own, wanted = self.words(), list(words)
        found = (i for i in range(len(own)) if own[i : i + len(wanted)] == wanted)
        return self.tokens[next(found, 0)][0]


def decode(data: bytes) -> str:
    """Return the text of a policy file, without the byte-order mark that some editors write.

    Raises:
        BadPolicy: the file is not UTF-8.

    """
    try:
        return data.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, got byte 0x{data[error.start]:02x} at offset {error.start}"
        raise BadPolicy(message) from error


def read_rules(text: str) -> list[RuleText]:
    """Return the rules of a policy, in order; comments and white space belong to no rule.

    Raises:
        BadPolicy: not Cedar, nested too deeply, or a rule too long; names the place.

    """
    # a semicolon ends a rule: within strings and comments it is no token of its own
    rules: list[RuleText] = []
    tokens: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "gap":
            continue
        tokens.append(match.span())
        if match.group() == ";":
            rules.append(RuleText(text, tuple(tokens)))
            tokens = []
    if tokens:
        rules.append(RuleText(text, tuple(tokens)))

    for rule in rules:
        _check_size(rule)
        _check_syntax(rule)
    return rules


def refuse(text: str, offset: int, message: str, hint: str = "") -> BadPolicy:
    """Return an error that names the line and column of ``offset``."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return BadPolicy(f"line {line}, column {column}: {message}", field="policy", hint=hint)


def _closing(words: Sequence[str]) -> str:
    """Return the text that completes the first words of a rule to a whole one."""
    # the stack of texts that close what is open, the innermost last
    still: list[str] = []
    for before, word in pairwise(["", *words]):
        if word == "(" and before in _EFFECTS:
            # only annotations stand before it, and these may have any word for a name
            still = [_SCOPE]
        elif word in _CLOSING:
            still.append(_CLOSING[word])
        elif not still:
            continue
        elif word in _CLOSERS:
            still.pop()
        else:
            still[-1] = _GOES_ON.get((word, still[-1]), still[-1])
    return "".join(reversed(still))


def _check_size(rule: RuleText) -> None:
    if len(rule.tokens) > MAX_RULE_TOKENS:
        count = len(rule.tokens)
        message = f"expected a rule of at most {MAX_RULE_TOKENS} words and signs, got {count}"
        raise refuse(rule.text, rule.start, message, "split the rule")

    depth = 0
    for start, end in rule.tokens:
        sign = rule.text[start:end]
        depth += (sign in "([{") - (sign in ")]}")
        if depth > MAX_NESTING:
            message = f"expected at most {MAX_NESTING} brackets within brackets, got more"
            raise refuse(rule.text, start, message)


def _check_syntax(rule: RuleText) -> None:
    reason = _syntax_error(rule.prefix(len(rule.tokens)))
    if reason is None:
        return
    if reason == _UNFINISHED:
        end = rule.tokens[-1][1]
        raise refuse(rule.text, end, "expected the rule to go on and end in ';', got its end")

    # a rule that is cut short before the fault is blamed only for its end
    def is_past_fault(count: int) -> bool:
        return _syntax_error(rule.prefix(count) + ";") not in _BLAMED_ON_END

    fault = bisect_left(range(len(rule.tokens)), True, lo=1, key=is_past_fault)

    # an error that names no token is about the whole rule, such as an annotation given twice
    start = rule.tokens[fault - 1][0] if "token" in reason else rule.start
    raise refuse(rule.text, start, f"expected a Cedar rule, got: {reason}")


def _syntax_error(text: str) -> str | None:
    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error).splitlines()[0]
    return None
