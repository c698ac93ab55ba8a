"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import synapse_stream
from consumers import views

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "synapse_stream"
CONSUMERS = ROOT / "consumers"
PACKAGES = (PACKAGE, CONSUMERS)
OF_TABLES = {
    *("adding", "blocks", "comparing", "compaction", "query", "raw", "reader", "removal"),
    *("conditions", "erasing", "groups", "series", "sorting", "table", "tables"),
}
"""Of the modules of views those that speak SQL."""
MODULES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
LONGEST_FILE = 300
LARGEST_FILE_BYTES = 600_000

# With a class of one letter each, so that this file is no finding of its own.
PRIVATE = r"/wor[k]/|/roo[t]/|/hom[e]/|\.librar[y]|file:[/]{2}"
REGISTRIES = r"pypi[.]org|python[h]osted|np[m]js"
UNWANTED = re.compile(f"{PRIVATE}|{REGISTRIES}")


def committed_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("this is no git checkout")
    return [path for name in listing.stdout.splitlines() if (path := ROOT / name).is_file()]


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, at its top or inside a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            is_folder = (ROOT / node.module.replace(".", "/")).is_dir()
            names |= {f"{node.module}.{a.name}" if is_folder else node.module for a in node.names}
    return names


def imported_packages(path: Path) -> set[str]:
    """Return the top-level names that a module imports."""
    return {name.partition(".")[0] for name in imported(path)}


def is_there(name: str) -> bool:
    """Tell whether there is a module of this name, or something of this name in a module."""
    home, _, last = name.rpartition(".")
    try:
        return find_spec(name) is not None or hasattr(import_module(home), last)
    except ModuleNotFoundError:
        return bool(home) and is_there(home) and hasattr(import_module(home), last)


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_map_has_every_room_and_no_other(package: Path) -> None:
    document = (ROOT / "docs" / "architecture.md").read_text()
    start = document.index("\n## Rooms")
    tables = document[start : document.index("\n## ", start + 1)].split("`consumers/` imports")
    table = tables[PACKAGES.index(package)].replace("`consumers/", "`")
    named = set(re.findall(r"`((?:\w+/)+|\w+\.py)`", "".join(re.findall(r"\n\|([^|]*)\|", table))))
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    rooms |= {path.name for path in package.glob("*.py") if path.name != "__init__.py"}
    inner = {path.parent.name for path in package.glob("*/*/**/__init__.py")}

    assert rooms - named == set()
    assert {name for name in named if not (package / name).exists()} == set()
    assert {room for room in inner if f"{room}/`" not in table and f"`{room}" not in table} == set()


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md"])
def test_whatever_the_docs_point_to_is_there(name: str) -> None:
    """A file by the end of its path, a module or what is in it by its full name."""
    files = [f"/{path.relative_to(ROOT)}" for path in committed_files()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    missing = []
    for document in sorted(ROOT.glob(name)):
        text = document.read_text()
        paths = re.findall(r"`((?:[\w-]+/)*[\w-]+\.(?:py|lua|js))`", text)
        modules = re.findall(r"`((?:synapse_stream|consumers)(?:\.\w+)+)`", text)
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        lost = {path for path in paths if not any(file.endswith(f"/{path}") for file in files)}
        lost |= {one for one in set(modules) - set(project["entry-points"]) if not is_there(one)}
        lost |= {link for link in links if not (document.parent / link).exists()}
        missing += [f"{document.name}: {one}" for one in sorted(lost)]

    assert missing == []


def test_no_suite_imports_another() -> None:
    """What several suites need stands in `tests/support`, which needs none of them."""
    strangers = set()
    for path in sorted((ROOT / "tests").rglob("*.py")):
        suite = path.relative_to(ROOT / "tests").parts[0]
        others = {name.split(".")[1] for name in imported(path) if name.startswith("tests.")}
        strangers |= {(str(path.relative_to(ROOT)), other) for other in others - {suite, "support"}}

    assert strangers == set()


def test_only_the_log_speaks_redis() -> None:
    speakers = {
        path.relative_to(PACKAGE).parts[0]
        for path in MODULES
        if imported_packages(path) & {"redis", "valkey", "hiredis"}
    }

    assert speakers == {"log"}


def test_only_the_store_and_the_tables_of_views_speak_sql() -> None:
    speakers = {
        path.relative_to(CONSUMERS).with_suffix("").parts
        for path in CONSUMERS.rglob("*.py")
        if imported_packages(path) & {"sqlalchemy", "psycopg", "alembic"}
    }

    assert speakers
    assert {
        names
        for names in speakers
        if names[0] != "store" and not (names[0] == "views" and names[-1] in OF_TABLES)
    } == set()


def test_what_is_pure_loads_neither_sql_nor_redis() -> None:
    views = CONSUMERS / "views"
    pure = [*CONSUMERS.glob("folding/*.py"), *views.glob("*/*.py")]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in pure
        if path.stem not in {*OF_TABLES, "view", "__init__"}
    ]
    program = (
        "import sys, importlib\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'sqlalchemy', 'redis', 'alembic'} & set(sys.modules)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=ROOT
    )

    assert len(modules) > 20
    assert (said.stdout, said.stderr) == ("[]\n", "")


def test_nobody_outside_its_folder_asks_which_view_one_is() -> None:
    """What makes a difference is said by `View`, so that anybody's may have it."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in MODULES
        if path.parents[1] != CONSUMERS / "views" and path != CONSUMERS / "views" / "__init__.py"
        for node in _questions(ast.parse(path.read_text()))
    ]

    assert found == []


def _questions(tree: ast.Module) -> list[ast.expr]:
    """Return where something is compared with a view's name, or its type is asked for."""
    names = set(views.names())
    types = {"PROJECTION", "VIEW"} | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("consumers.views.")
        for alias in node.names
        if alias.name == "VIEW" or alias.name.endswith(("View", "ArchiveFold"))
    }

    def is_of_view(part: ast.AST) -> bool:
        if isinstance(part, ast.Constant):
            return part.value in names
        name = part.id if isinstance(part, ast.Name) else getattr(part, "attr", None)
        return name in types

    asked = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.Compare, ast.Dict))
        or (isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("is"))
    ]
    return [
        node
        for node in asked
        if any(
            is_of_view(part)
            for operand in (node.keys if isinstance(node, ast.Dict) else [node])
            if operand is not None
            for part in ast.walk(operand)
        )
    ]


def test_only_commands_and_the_console_know_the_terminal() -> None:
    painters = {
        path.relative_to(PACKAGE).parts[0]
        for path in MODULES
        if imported_packages(path) & {"rich", "typer"}
    }

    assert painters <= {"cli", "loggers"}


def test_the_list_of_public_names_is_sorted_and_complete() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("synapse_stream.")
        for alias in node.names
    }

    assert synapse_stream.__all__ == sorted(synapse_stream.__all__)
    assert set(synapse_stream.__all__) == imported | {"__version__"}


@pytest.mark.parametrize("name", sorted(set(synapse_stream.__all__) - {"__version__"}))
def test_every_public_name_and_method_has_a_docstring(name: str) -> None:
    public = getattr(synapse_stream, name)
    silent = [
        member
        for member, value in inspect.getmembers(public)
        if not member.startswith("_")
        and (code := getattr(value, "fget", value))
        and inspect.isroutine(code)
        and (getattr(code, "__module__", None) or "").startswith("synapse_stream")
        and not inspect.getdoc(value)
    ]

    assert inspect.getdoc(public)
    assert silent == []


def test_nothing_committed_names_a_private_path_or_a_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in committed_files()
        for match in UNWANTED.finditer(path.read_text(errors="replace"))
    ]

    assert found == []


def test_every_committed_text_file_ends_with_one_newline_and_none_is_large() -> None:
    contents = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for path in committed_files()
        if "vendor" not in path.parts  # kept byte by byte, see vendor.lock.json
        and path.suffix != ".png"
    }

    assert [name for name, text in contents.items() if len(text) > LARGEST_FILE_BYTES] == []
    assert [name for name, text in contents.items() if b"\r\n" in text] == []
    assert [name for name, text in contents.items() if text and not text.endswith(b"\n")] == []


def test_the_lock_pins_every_dependency_with_its_hash() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    requirements = [Requirement(line) for line in chain.from_iterable(groups)]
    pins = re.findall(
        r"^([a-z0-9-]+)==(\S+)[^\n]*\\\n    --hash=sha256:",
        (ROOT / "requirements.lock").read_text(),
        re.MULTILINE,
    )

    for requirement in requirements:
        if requirement.name != project["name"]:
            pinned = [version for name, version in pins if name == requirement.name]
            assert pinned, f"{requirement.name} is not in requirements.lock: run `make lock`"
            assert all(version in requirement.specifier for version in pinned), requirement


def test_the_wheel_holds_what_runs_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {Path(name) for name in archive.namelist()}

    shipped = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in package.rglob("*")
        if path.suffix != ".pyc"
    }
    files = {path for path in shipped if (ROOT / path).is_file()}
    at_start = Path("synapse_stream/integrations/startup/synapse_stream.pth")
    files = files - {at_start} | {Path(at_start.name)}  # where Python looks for it
    assert {path for path in held if "dist-info" not in path.parts[0]} == files
    assert Path("synapse_stream/py.typed") in held
    assert Path("synapse_stream/log/append.lua") in held


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert synapse_stream.__version__ == project["version"]
    assert f"## [{project['version']}]" in (ROOT / "CHANGELOG.md").read_text()
