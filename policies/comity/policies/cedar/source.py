"""Policy text: where its rules are, and where it goes wrong.

The engine says what is wrong but not where, and its parser recurses: text that is nested a few
hundred deep would overflow the stack and end the process. So the text is cut into tokens first.
Invariants: no text reaches the engine that exceeds MAX_NESTING or MAX_RULE_TOKENS; every
``BadPolicy`` raised here names a line and a column, both counted from 1.
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
"""What is left to close, by a word and what was to be closed before it."""

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
        """Return the text of the first ``count`` tokens, with what stands between them."""
        return self.text[self.start : self.tokens[count - 1][1]]

    def words(self) -> list[str]:
        """Return the tokens' texts."""
        return [self.text[start:end] for start, end in self.tokens]

    def closed(self, count: int) -> str:
        """Return a rule, but for its ";", of the first ``count`` tokens: what is open is closed."""
        return self.prefix(count) + _closing(self.words()[:count])

    def find(self, *words: str) -> int:
        """Return the offset at which some tokens first follow one another, else of the rule."""
        own, wanted = self.words(), list(words)
        found = (i for i in range(len(own)) if own[i : i + len(wanted)] == wanted)
        return self.tokens[next(found, 0)][0]


def decode(data: bytes) -> str:
    """Return the text of a policy's file, without the byte-order mark that some editors write.

    Raises:
        BadPolicy: not UTF-8.

    """
    try:
        return data.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, got byte 0x{data[error.start]:02x} at offset {error.start}"
        raise BadPolicy(message) from error


def read_rules(text: str) -> list[RuleText]:
    """Cut a policy into its rules, in order; comments and white space belong to none.

    Raises:
        BadPolicy: not Cedar, nested too deeply, or a rule too long; says where.

    """
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
    """Return the error for what stands at ``offset``."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return BadPolicy(f"line {line}, column {column}: {message}", field="policy", hint=hint)


def _closing(words: Sequence[str]) -> str:
    """Return what closes all that the first words of a rule leave open."""
    still: list[str] = []
    for before, word in pairwise(["", *words]):
        if word == "(" and before in _EFFECTS:
            still = [_SCOPE]  # before it are annotations, which may have any word for a name
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

    # Cut short and closed, a rule is blamed for its end, up to the token that cannot stand there.
    def is_past_fault(count: int) -> bool:
        return _syntax_error(rule.prefix(count) + ";") not in _BLAMED_ON_END

    fault = bisect_left(range(len(rule.tokens)), True, lo=1, key=is_past_fault)

    # Where the grammar is kept, the rule as such is at fault (an annotation given twice).
    start = rule.tokens[fault - 1][0] if "token" in reason else rule.start
    raise refuse(rule.text, start, f"expected a Cedar rule, got: {reason}")


def _syntax_error(text: str) -> str | None:
    try:
        cedarpy.PolicySet.from_str(text)
    except ValueError as error:
        return str(error).splitlines()[0]
    return None
