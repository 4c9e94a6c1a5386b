"""YAML 1.2 as drafts are written in it: read with line and column, written for people.

Invariants: whatever text is written is read as the same text, on one line or on several. Reading
takes time and memory in proportion to the text, since each value stands where it is used.
"""

from __future__ import annotations

import io
import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.emitter import RoundTripEmitter
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter

from comity.record.errors import InvalidInput
from comity.record.limits import MAX_JSON_DEPTH

_MUST_ESCAPE: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\A\s|\s\Z|^(---|\.\.\.)",
    re.MULTILINE,
)


def load_yaml(data: bytes) -> Any:
    """Read one YAML 1.2 document, without anchors and aliases.

    Raises:
        InvalidInput: not YAML, not UTF-8, an anchor, or over MAX_JSON_DEPTH levels; says the line
            and column.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    try:
        return yaml.load(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(f"expected UTF-8, got 0x{data[error.start]:02x}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise InvalidInput(f"expected YAML: {where}{error.problem}") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"expected YAML: {str(error).splitlines()[0]}") from error


def yaml_line(data: bytes, path: str) -> int:
    """Return the line, from 1, of the value at a path such as ``sections.risks[0].scenario``.

    If there is none, it is the line of the last value on the way to it. ``data`` is YAML that
    ``load_yaml`` reads.
    """
    yaml = YAML(typ="safe", pure=True)
    node = yaml.compose(data.decode("utf-8"))
    line = node.start_mark.line if node is not None else 0

    for key, index in _STEP.findall(path):
        if index and isinstance(node, SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line
            continue
        pairs = node.value if isinstance(node, MappingNode) else ()
        found = [(name, value) for name, value in pairs if name.value == key]
        if not found:
            break
        line, node = found[0][0].start_mark.line, found[0][1]
    return line + 1


_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


class _Composer(Composer):
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        # some hundred bytes of aliases stand for millions of values, or for one that holds itself
        if event.anchor is not None:
            message = f"expected each value written out, got the anchor or alias {event.anchor:.80}"
            raise ComposerError(problem=message, problem_mark=event.start_mark)
        if self._depth > MAX_JSON_DEPTH:
            message = f"expected at most {MAX_JSON_DEPTH} levels, got more"
            raise ComposerError(problem=message, problem_mark=event.start_mark)

        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Emitter(RoundTripEmitter):
    def write_double_quoted(self, text: Any, split: Any = True) -> None:
        # ruamel.yaml loses or adds spaces where it folds a text with backslashes in it
        super().write_double_quoted(text, split=False)


class _Representer(RoundTripRepresenter):
    def represent_text(self, text: str) -> Any:
        # several lines stay lines, unless YAML would read them otherwise than they were
        style = '"' if _MUST_ESCAPE.search(text) else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _Representer.represent_text)


def dump_yaml(value: Any) -> bytes:
    """Write block-style YAML in the order given, with long text folded and its lines kept."""
    yaml = YAML()
    yaml.Emitter, yaml.Representer = _Emitter, _Representer
    yaml.default_flow_style = False
    yaml.width = 96
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.BytesIO()
    yaml.dump(value, buffer)
    return buffer.getvalue()
