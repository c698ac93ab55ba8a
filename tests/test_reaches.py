"""Tests reach for what is ours and private only where nothing else shows it; never more often."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGES = ("consumers", "synapse_stream")
PUBLIC = {"_replace", "_asdict", "_fields", "_make", "_exit", "_getframe", "_repr_html_"}
"""Begins with an underscore, and is there for all the same."""
MOST = {"private": 78, "patched": 84}
"""No more than so many. Where fewer are left, write that here."""


def test_there_are_no_more_reaches_than_there_were() -> None:
    found: dict[str, list[str]] = {"private": [], "patched": []}
    for file in sorted(ROOT.rglob("*.py")):
        tree = list(ast.walk(ast.parse(file.read_text())))
        where = file.relative_to(ROOT)
        found["private"] += [f"{where}:{line} {what}" for line, what in private(tree)]
        found["patched"] += [f"{where}:{line} {what}" for line, what in patched(tree)]

    for kind, those in found.items():
        assert len(those) <= MOST[kind], "\n".join(those)


def private(tree: list[ast.AST]) -> list[tuple[int, str]]:
    """Return where the tree uses what is private to another one."""
    own = {name for node in tree for name in made(node)}
    found = [
        (node.lineno, node.attr)
        for node in tree
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and node.attr not in own
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
    ]
    return found + [
        (node.lineno, alias.name)
        for node in tree
        if isinstance(node, ast.ImportFrom) and is_ours(node.module or "")
        for alias in node.names
        if is_private(alias.name)
    ]


def made(node: ast.AST) -> list[str]:
    """Return what a file makes itself here, so that it may use it."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Store):
        return []
    return [node.attr] if ast.unparse(node.value) == "self" else []


def patched(tree: list[ast.AST]) -> list[tuple[int, str]]:
    """Return where the tree puts something else in the place of what is in a module of ours."""
    modules = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree
        if isinstance(node, ast.ImportFrom) and is_ours(node.module or "")
        for alias in node.names
    }
    found = []
    for node in tree:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "setattr" or not node.args:
            continue
        place = node.args[0]
        name = place.value if isinstance(place, ast.Constant) else ast.unparse(place)
        if is_ours(str(name)) or str(name).partition(".")[0] in modules:
            found.append((node.lineno, ast.unparse(node)[:80]))
    return found


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC


def is_ours(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES
