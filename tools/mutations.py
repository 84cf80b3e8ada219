"""The small changes that ``mutants.py`` makes: which there are in a file, and the syntax tree with one of them."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

_COMPARE: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_BINARY = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip
_LOOSE = (ast.If, ast.While, ast.For, ast.With, ast.Try, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SHOWN = 150  # characters


@dataclass(frozen=True)
class Mutant:
    """One change: the ``change``-th way to change the ``place``-th node of a file's syntax tree."""

    room: str
    file: str
    place: int
    change: int
    lines: tuple[int, ...]
    unseen: bool
    before: str
    after: str

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.lines[0]}\n  - {self.before}\n  + {self.after}"


def mutants_of(room: str, file: str) -> Iterator[Mutant]:
    """Every mutant of a file."""
    tree = _tree(file)
    for place, (node, parents) in enumerate(_nodes(tree)):
        for change, new in enumerate(_changes(node, parents)):
            statement = next(each for each in (node, *parents) if isinstance(each, ast.stmt))
            shown = node if isinstance(statement, _LOOSE) else statement
            lines = range(shown.lineno, (shown.end_lineno or shown.lineno) + 1)
            inside = any(
                isinstance(parent, _FUNCTIONS) and child in parent.body
                for child, parent in zip((node, *parents), parents, strict=False)
            )
            unseen = not inside or any(map(_is_compiled, parents))  # no trace tells of a kernel's lines
            before, after = _texts(shown, node, new)
            yield Mutant(room, file, place, change, tuple(lines), unseen, before, after)


def mutated(mutant: Mutant) -> ast.Module:
    """The file's syntax tree with the change in it."""
    tree = copy.deepcopy(_tree(mutant.file))
    node, parents = list(_nodes(tree))[mutant.place]
    _exchange(node, _changes(node, parents)[mutant.change], parents[0])
    for function in ast.walk(tree):  # a kernel's cache goes by the file, which did not change
        for decorator in function.decorator_list if isinstance(function, _FUNCTIONS) else ():
            if isinstance(decorator, ast.Call):
                decorator.keywords = [each for each in decorator.keywords if each.arg != "cache"]
    return ast.fix_missing_locations(tree)


@lru_cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text())


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """Nodes whose change a test could notice, with their parents from the nearest on."""

    def walk(node: ast.AST, parents: tuple[ast.AST, ...]) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
        yield node, parents
        if isinstance(node, (ast.JoinedStr, ast.Raise)) or _is_log(node) or _is_names(node) or _types_only(node):
            return
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from walk(child, (node, *parents))

    return walk(tree, ())


def _changes(node: ast.AST, parents: tuple[ast.AST, ...]) -> list[Any]:
    """What could stand in a node's place."""
    match node:
        case ast.Compare(left=left, ops=[op], comparators=rest):
            return [ast.Compare(left, [other()], rest) for other in _COMPARE[type(op)]]
        case ast.BoolOp(op=op, values=values):
            return [ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY and not _is_text(left, right):
            return [ast.BinOp(left, _BINARY[type(op)](), right)]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return [operand]
        case ast.Constant(value=bool() as value):
            return [ast.Constant(not value)]
        case ast.Constant(value=int() | float() as value):
            negated = [ast.UnaryOp(ast.USub(), node)] if value else []
            return [ast.Constant(value + 1), ast.Constant(0 if value else -1), *negated]
        case ast.Call(func=func, args=[first, second, *rest], keywords=named) if _swaps(first, second):
            return [ast.Call(func, [second, first, *rest], named)]
        case ast.Expr(value=ast.Constant()):
            return []
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Break() | ast.Continue() if not _is_log(node):
            return [ast.Pass()]
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            return [ast.Pass()]
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            return [ast.Return(ast.Constant(None))]
        case ast.expr() if _is_condition(node, parents[0]):
            return [ast.UnaryOp(ast.Not(), node)]
    return []


def _exchange(old: ast.AST, new: ast.AST, parent: ast.AST) -> None:
    ast.copy_location(new, old)
    for name, value in ast.iter_fields(parent):
        if value is old:
            setattr(parent, name, new)
        elif isinstance(value, list):
            value[:] = [new if item is old else item for item in value]


def _texts(shown: ast.AST, node: ast.AST, new: ast.AST) -> tuple[str, str]:
    """Before and after, about the place where they differ."""
    trail = copy.deepcopy({"shown": shown, "node": node})
    _replaced(trail["shown"], trail["node"], new)
    before, after = (_line(node), _line(new)) if shown is node else (_line(shown), _line(trail["shown"]))
    common = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    first = max(common - _SHOWN // 2, 0)
    return before[first : first + _SHOWN], after[first : first + _SHOWN]


def _replaced(within: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(within):
        if any(child is old for child in ast.iter_child_nodes(parent)):
            _exchange(old, new, parent)
            return


def _line(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(node)).split())


def _swaps(first: ast.expr, second: ast.expr) -> bool:
    starred = any(isinstance(each, ast.Starred) for each in (first, second))
    return not starred and ast.dump(first) != ast.dump(second)


def _is_text(*operands: ast.expr) -> bool:
    """Paths and texts: the other operator would not even run."""
    return any(isinstance(each, ast.JoinedStr) or _string(each) for each in operands)


def _string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_condition(node: ast.AST, parent: ast.AST) -> bool:
    return isinstance(parent, (ast.If, ast.While, ast.IfExp)) and parent.test is node


def _is_log(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).startswith("logger.")


def _is_compiled(node: ast.AST) -> bool:
    return isinstance(node, _FUNCTIONS) and any("njit" in ast.unparse(each) for each in node.decorator_list)


def _is_names(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
