"""Rules of the house that no linter knows: one shape everywhere, small modules, plain names, true documents.

Each rule looks at texts by path, so that it can be shown examples it must refuse (below).
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
SERVICES = ("clubs", "enrollment", "notifications", "wallet")
ROLES = ("api", "consumers", "usecases", "domain", "repository", "tables")
OF_ITS_OWN = {  # what one service needs and the others do not
    "enrollment": {"beginning", "register"},
    "notifications": {"audit", "jobs", "outside", "texts"},
    "wallet": {"bank", "jobs", "printing", "publishing", "verifying"},
}
IN_ANY_SERVICE = {*ROLES, "__init__", "__main__", "main", "settings", "testing", "migrations", "locales"}
BESIDE_SOURCES = (
    "README.md",
    "pyproject.toml",
    *(
        f"tests/{name}.py"
        for name in ("conftest", "test_domain", "test_usecases", "test_api", "test_consumers")
    ),
)
LANGUAGES = ("en", "kk", "ru")

MODULE_LINES_MAX = 320
TEST_LINES_MAX = 640  # examples are read one at a time
FUNCTION_LINES_MAX = 60
VAGUE = {
    *(
        "base",
        "common",
        "constants",
        "core",
        "enums",
        "exceptions",
        "handlers",
        "helper",
        "helpers",
        "interfaces",
    ),
    *("lib", "managers", "misc", "models", "tools", "types", "util", "utils"),
}
DEPLOYED = re.compile(r"(?:shared|services/\w+)/src/\w+/(?!migrations/|testing)")
MAY_COMMIT = {
    "shared/src/shared/edge.py",  # the edge itself
    "shared/src/shared/intake.py",  # Kafka's offsets, for figures
    "shared/src/shared/kafka.py",
    "services/wallet/src/wallet/verifying/__main__.py",  # reads, without the service
}
MAY_OPEN_ENGINES = {"shared/src/shared/database.py"}
PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org", "repo.maven.apache.org", "repo1.maven.org"}
BRITISH = re.compile(
    r"enrol(?!l)|\bcancell(?!ation)|programmes?\b|behaviour|colour|favour|honour|labour|neighbour|organis(?!m)|"
    r"authoris|serialis|normalis|initialis|recognis|\bcentre|catalogue|licence|defence|travell|modell|labell|"
    r"\bgrey\b|judgement|fulfil\b",
    re.IGNORECASE,
)
SPOKEN_BY_LIBRARIES = re.compile(r"CancelledError|\.cancelled\(")
UNFINISHED = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")  # so written that it is none itself
MACHINE_PATH = re.compile(r"(?<![\w.~*$}/-])/(?:work|home|root|Users|tmp)/\w")
SILENCED = re.compile(r"#\s*(noqa|type: ignore)(.*)")
WITH_A_REASON = re.compile(r"#\s*(?:noqa: [A-Z0-9, ]+ - \S|type: ignore\[[\w, -]+\]\s+# \S)")
METRIC = re.compile(r"\b(?:Counter|Gauge|Histogram)\(\s*\"(\w+)\"")
MENTION = re.compile(r"`([\w./-]+\.(?:md|py|toml|sql|yml|json|po|txt))(?:::(\w+))?`")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")

Files = Mapping[str, str]
Rule = Callable[[Files], Iterator[str]]


def services_have_the_same_shape(files: Files) -> Iterator[str]:
    for service in SERVICES:
        inside = f"services/{service}/src/{service}/"
        own = {path.removeprefix(inside) for path in files if path.startswith(inside)}
        names = {PurePosixPath(path).parts[0].removesuffix(".py") for path in own}
        for role in {*ROLES, "__init__", "__main__", "main"} - names:
            yield f"{inside}{role}.py is missing"
        for name in names - IN_ANY_SERVICE - OF_ITS_OWN.get(service, set()):
            yield f"{inside}{name} is not a name that a service has"
        for language in LANGUAGES:
            if f"locales/{language}/messages.po" not in own:
                yield f"{inside}locales/{language}/messages.po is missing"
        if not any(re.match(r"migrations/0001_\w+\.py", path) for path in own):
            yield f"{inside}migrations/0001_….py is missing"
        for name in BESIDE_SOURCES:
            if f"services/{service}/{name}" not in files:
                yield f"services/{service}/{name} is missing"


def modules_say_what_they_are_for(files: Files) -> Iterator[str]:
    for path, tree in _modules(files):
        if tree.body and not ast.get_docstring(tree):
            yield f"{path} has no docstring"


def modules_and_functions_are_small(files: Files) -> Iterator[str]:
    for path, tree in _modules(files):
        lines = files[path].count("\n")
        if lines > (TEST_LINES_MAX if "tests/" in path else MODULE_LINES_MAX):
            yield f"{path} has {lines} lines"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX and "/migrations/" not in path:
                    yield f"{path}::{node.name} has {length} lines"


def names_are_not_vague(files: Files) -> Iterator[str]:
    for path in files:
        parts = {part.removesuffix(".py") for part in PurePosixPath(path).parts}
        if path.endswith(".py") and parts & VAGUE:
            yield f"{path}: {', '.join(parts & VAGUE)} says nothing"


def only_the_edge_commits(files: Files) -> Iterator[str]:
    for path, tree in _modules(files):
        if path in MAY_COMMIT or not DEPLOYED.match(path):
            continue
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            receiver, method = ast.unparse(node.func.value), node.func.attr
            if method in {"begin", "begin_nested", "commit", "rollback"}:
                yield f"{path}:{node.lineno} calls {method}()"
            if method == "transaction" and not receiver.endswith(("edge", "Edge")):
                yield f"{path}:{node.lineno} opens a transaction of {receiver}"


def engines_are_opened_in_one_place(files: Files) -> Iterator[str]:
    """A plain `postgresql://` means psycopg2 to SQLAlchemy: `open_engine` knows better."""
    for path, tree in _modules(files):
        for node in ast.walk(tree) if DEPLOYED.match(path) and path not in MAY_OPEN_ENGINES else ():
            if isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in {"create_engine", "create_async_engine"}:
                    yield f"{path}:{node.lineno} calls {name}"


def our_own_parts_are_not_mocked(files: Files) -> Iterator[str]:
    for path, tree in _modules(files):
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) and re.search(r"\bmock\b", ast.unparse(node)):
                yield f"{path}:{node.lineno} imports mocks"


def silenced_checks_have_a_reason(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, ".py"):
        if SILENCED.search(line) and not WITH_A_REASON.search(line):
            yield f"{path}:{number} silences a check without code and reason"


def nothing_is_left_for_later(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, ".py", ".md", ".toml", ".yml", ".sql", ".po"):
        if UNFINISHED.search(line):
            yield f"{path}:{number} is unfinished"


def no_machine_is_named(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, ".py", ".md", ".toml", ".yml", ".sql", ".json", ".po"):
        if MACHINE_PATH.search(line):
            yield f"{path}:{number} names a folder of somebody's machine"


def locks_name_public_hosts_only(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, "uv.lock", ".lock.toml", "pyproject.toml"):
        for host in set(re.findall(r"https?://([^/\"'\s]+)", line)) - PUBLIC_HOSTS:
            yield f"{path}:{number} names the host {host}"


def spelling_is_american(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, ".py", ".md", ".toml", ".sql", "en/messages.po"):
        if found := BRITISH.search(SPOKEN_BY_LIBRARIES.sub("", line)):
            yield f"{path}:{number} spells {found[0]}"


def documents_mention_what_exists(files: Files) -> Iterator[str]:
    for path, number, line in _lines(files, ".md"):
        for target in LINK.findall(line):
            wanted = (ROOT / path).parent / target
            if not wanted.resolve().exists():
                yield f"{path}:{number} links to {target}"
        for mention, name in MENTION.findall(line):
            found = _mentioned(files, path, mention)
            if not found:
                yield f"{path}:{number} mentions {mention}"
            elif name and not any(_defines(files[one], name) for one in found):
                yield f"{path}:{number} mentions {name}, which {mention} does not define"


def operators_are_told_of_every_figure(files: Files) -> Iterator[str]:
    for path, text in files.items():
        for name in METRIC.findall(text) if DEPLOYED.match(path) else ():
            row = rf"^\|.*`{name.removesuffix('_total')}(?:_total)?`"
            if not re.search(row, files["docs/operations.md"], re.MULTILINE):
                yield f"{path} counts {name}, of which docs/operations.md says nothing"


def _mentioned(files: Files, document: str, mention: str) -> list[str]:
    """The files that a document can mean: by path from the root or beside it, or as modules are imported."""
    beside = str(PurePosixPath(document).parent / mention)
    return [one for one in files if one in {mention, beside} or one.endswith(f"/{mention}")]


def _defines(text: str, name: str) -> bool:
    return bool(re.search(rf"(?:\b(?:def|class)\s+{name}\b)|(?:^{name}\b.*=)", text, re.MULTILINE))


def _modules(files: Files) -> Iterator[tuple[str, ast.Module]]:
    for path, text in files.items():
        if path.endswith(".py"):
            yield path, _parse(text)


@cache
def _parse(text: str) -> ast.Module:
    return ast.parse(text)


def _lines(files: Files, *endings: str) -> Iterator[tuple[str, int, str]]:
    for path, text in files.items():
        if path.endswith(endings) and path != "tests/test_tidy.py":  # it must name what it forbids
            for number, line in enumerate(text.splitlines(), 1):
                yield path, number, line


REFUSED: dict[Rule, Files] = {
    services_have_the_same_shape: {"services/clubs/src/clubs/queries.py": ""},
    modules_say_what_they_are_for: {"a.py": "import os\n"},
    modules_and_functions_are_small: {"a.py": "def f():\n" + "    pass\n" * 60},
    names_are_not_vague: {"shared/src/shared/utils.py": ""},
    only_the_edge_commits: {"services/clubs/src/clubs/api.py": "async def f(s):\n    await s.commit()\n"},
    engines_are_opened_in_one_place: {
        "shared/src/shared/edge.py": "e = create_async_engine('postgresql://h/d')\n"
    },
    our_own_parts_are_not_mocked: {"a.py": "from unittest.mock import MagicMock\n"},
    silenced_checks_have_a_reason: {"a.py": "x = 1  # noqa: E501\n"},
    nothing_is_left_for_later: {"a.py": f"# T{'O'}DO: the rest\n"},
    no_machine_is_named: {"a.md": "See /home/somebody/notes.\n"},
    locks_name_public_hosts_only: {"uv.lock": 'url = "https://mirror.example.org/simple"\n'},
    spelling_is_american: {"a.md": "The enrolment was cancelled.\n"},
    operators_are_told_of_every_figure: {
        "shared/src/shared/relay.py": 'LEFT = Counter("events_left", "Events")\n',
        "docs/operations.md": "| `events_left_over` | something else |\n",
    },
    documents_mention_what_exists: {"README.md": "Read `nothing.py`, or [this](nowhere.md).\n"},
}


@pytest.fixture(scope="module")
def repository() -> Files:
    """The texts of this repository, with what is about to be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    texts = {}
    for name in sorted(set(listed.stdout.decode().split("\0")) - {""}):
        if (ROOT / name).is_file():
            texts[name] = (ROOT / name).read_text(errors="replace")
    return texts


@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: rule.__name__)
def test_the_repository_keeps_the_rules(rule: Rule, repository: Files) -> None:
    assert list(rule(repository)) == []


@pytest.mark.parametrize("rule", REFUSED, ids=lambda rule: rule.__name__)
def test_a_rule_notices_who_breaks_it(rule: Rule) -> None:
    assert list(rule(REFUSED[rule]))


def test_a_document_may_name_only_what_its_file_defines() -> None:
    files = {"a.md": "`a.py::found` and `a.py::lost`", "a.py": "def found(): ..."}

    assert list(documents_mention_what_exists(files)) == ["a.md:1 mentions lost, which a.py does not define"]


def test_a_long_module_is_noticed_as_well_as_a_long_function() -> None:
    assert list(modules_and_functions_are_small({"a.py": "x = 1\n" * (MODULE_LINES_MAX + 1)}))
