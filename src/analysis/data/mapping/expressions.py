"""Arithmetic on columns of a file: + - * / and brackets, of column names and numbers."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ibis.expr.types import NumericValue

_NAME = re.compile(r"`([^`]+)`|((?<![\w.])[^\W\d]\w*)")
_LONGEST = 1000
_OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LARGEST = 1e15
_EXPECTED = (
    "expected column names (`in backticks` where they have blanks), numbers, + - * / and brackets, "
    "such as Quantity * UnitPrice"
)


@dataclass(frozen=True)
class Expression:
    """An expression that was checked.

    Attributes
    ----------
    columns : tuple of str
        The columns that it names, each once.
    tree : ast.expr
        Nodes of numbers, names and operators only.
    quoted : dict of str to str
        Columns that stood in backticks, by their name in the tree.
    """

    columns: tuple[str, ...]
    tree: ast.expr
    quoted: dict[str, str]

    def value(self, column: Callable[[str], NumericValue]) -> NumericValue:
        """Return the result for each row; nothing where a value is missing or divided by zero."""
        return self._value(self.tree, column)

    def _value(self, node: ast.expr, column: Callable[[str], NumericValue]) -> NumericValue:
        if isinstance(node, ast.Constant):
            return float(node.value)
        if isinstance(node, ast.Name):
            return column(self.quoted.get(node.id, node.id))
        if isinstance(node, ast.UnaryOp):
            return -self._value(node.operand, column)
        left, right = self._value(node.left, column), self._value(node.right, column)
        if isinstance(node.op, ast.Div) and not isinstance(right, float):
            right = right.nullif(0.0)
        return _OPERATORS[type(node.op)](left, right)


@lru_cache
def parse(text: str) -> Expression:
    """Check an expression.

    Raises
    ------
    ValueError
        If it holds anything but numbers, names, + - * / and brackets, no column, or divides by a
        number that is 0.
    """
    quoted: dict[str, str] = {}

    def own_name(match: re.Match) -> str:  # Python would take a full-width letter for another
        name = f"c{len(quoted)}"
        quoted[name] = (match[1] or match[2]).strip()
        return name

    if len(text) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} characters")
    try:
        tree = ast.parse(_NAME.sub(own_name, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(_EXPECTED) from None
    nodes = list(_checked(tree))
    names = [quoted.get(node.id, node.id) for node in nodes if isinstance(node, ast.Name)]
    if not names:
        raise ValueError(f"it names no column; {_EXPECTED}")
    divisors = [node.right for node in nodes if isinstance(getattr(node, "op", None), ast.Div)]
    if any(_is_zero(each) for each in divisors):
        raise ValueError("it divides by 0")
    return Expression(tuple(dict.fromkeys(names)), tree, quoted)


def _checked(node: ast.expr) -> list[ast.expr]:
    """Return all nodes, if each is allowed."""
    if isinstance(node, ast.Name):
        return [node]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        if abs(node.value) > _LARGEST:
            raise ValueError("a number in it is too large")
        return [node]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [node, *_checked(node.operand)]
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return [node, *_checked(node.left), *_checked(node.right)]
    raise ValueError(_EXPECTED)


def _is_zero(node: ast.expr) -> bool:
    """Tell whether a part that names no column comes to 0."""
    if any(isinstance(each, ast.Name) for each in ast.walk(node)):
        return False
    try:
        return Expression((), node, {}).value(float) == 0
    except ZeroDivisionError:
        return True
