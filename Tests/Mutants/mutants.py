# This source file is part of Baton.
# SPDX-License-Identifier: Apache-2.0
"""The list of mutations, and the package that has all of them in it, each behind a switch of its own.

A mutation is a file NAME.mutant beside this one:

    rule: S3, H5                      what it breaks, in the words of the design
    breaks: one sentence
    with: other, another              mutations that are switched on together with it
    aid: why                          for company only: it is not hunted by itself, and this is why
    # why it is as it is
    @ Sources/BatonCore/Lease/LeaseTiming.swift
    -sent + timeout - drift           must occur exactly once in that file
    +sent + timeout - (MUTATED ? .zero : drift)

MUTATED is true while the mutation is switched on. The sources themselves know nothing of all this: a change of theirs
that takes the ground from under a mutation is an error here, with the mutation's name.
"""

import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).resolve().parent
PACKAGE = ROOT / ".build" / "mutants"
KEYS = {"rule", "breaks", "with", "aid"}
# What the package is made of: where it stands in the repository, and in the package.
FOLDERS = ["Sources/BatonCore", "Tests/Simulation", "Tests/Simulate"]


class Problem(Exception):
    pass


@dataclasses.dataclass
class Edit:
    file: str
    original: str
    mutated: str


@dataclasses.dataclass
class Mutation:
    name: str
    fields: dict
    edits: list

    @property
    def switch(self):
        first, *rest = self.name.split("-")
        return first + "".join(word.capitalize() for word in rest)

    @property
    def company(self):
        return [name.strip() for name in self.fields.get("with", "").split(",") if name.strip()]


def read(path):
    """One mutation, from its file."""
    name = path.stem

    def problem(number, text):
        return Problem(f"{path.name}:{number}: {text}")

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise Problem(f"{path.name}: a mutation's name is made of small letters, digits and hyphens")
    fields, edits, file, lines = {}, [], None, []

    def finish(number):
        if file is None:
            return
        original = [line[1:] for line in lines if line[0] == "-"]
        mutated = [line[1:] for line in lines if line[0] == "+"]
        if not original or not mutated:
            raise problem(number, f"the edit of {file} has no lines with -, or none with +")
        edits.append(Edit(file, "\n".join(original), "\n".join(mutated)))

    number = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("@ "):
            finish(number)
            file, lines = line[2:].strip(), []
        elif line[:1] in ("-", "+") and file is not None:
            if line[0] == "-" and lines and lines[-1][0] == "+":
                finish(number)
                lines = []
            lines.append(line)
        elif not line.strip() or line.startswith("#"):
            continue
        elif file is None and ":" in line:
            key, value = line.split(":", 1)
            if key not in KEYS or key in fields:
                raise problem(number, f"unknown or repeated key {key!r}; there are {', '.join(sorted(KEYS))}")
            fields[key] = value.strip()
        else:
            raise problem(number, "neither a key, nor @ FILE, nor a line that begins with - or +")
    finish(number)
    for key in ("rule", "breaks"):
        if not fields.get(key):
            raise Problem(f"{path.name}: {key} is missing")
    if not any("MUTATED" in edit.mutated for edit in edits):
        raise Problem(f"{path.name}: nothing depends on MUTATED: it would always be on, or never")
    return Mutation(name, fields, edits)


def read_all():
    """All mutations by name."""
    mutations = {}
    for path in sorted(LIST.glob("*.mutant")):
        mutation = read(path)
        mutations[mutation.name] = mutation
    for mutation in mutations.values():
        for name in mutation.company:
            if name not in mutations:
                raise Problem(f"{mutation.name}.mutant: with: there is no mutation {name}")
    return mutations


def mutate(mutations, source=lambda file: (ROOT / file).read_text()):
    """The text of every file that is changed, with all mutations in it.

    Every problem is found before anything is said, so that one run tells of all that a change of the sources broke.
    """
    places, problems = {}, []
    for mutation in mutations:
        for edit in mutation.edits:
            try:
                text = source(edit.file)
            except OSError:
                problems.append(f"{mutation.name}: there is no file {edit.file}")
                continue
            count = text.count(edit.original)
            if count != 1:
                where = f"{count} times" if count else "not"
                problems.append(f"{mutation.name}: its original text occurs {where} in {edit.file}:\n{edit.original}")
                continue
            start = text.index(edit.original)
            switch = f"Mutations.{mutation.switch}"
            mutated = re.sub(r"\bMUTATED\b", switch, edit.mutated)
            places.setdefault(edit.file, []).append((start, start + len(edit.original), mutated, mutation.name))
    texts = {}
    for file, edits in places.items():
        edits.sort()
        for before, after in zip(edits, edits[1:]):
            if after[0] < before[1]:
                problems.append(f"{before[3]} and {after[3]} change the same text in {file}")
        text = source(file)
        for start, end, mutated, _ in reversed(edits):
            text = text[:start] + mutated + text[end:]
        texts[file] = text
    if problems:
        raise Problem("\n".join(problems))
    return texts


def switches(mutations):
    """The source file with the switches: constants of a run, read from the environment."""
    lines = [
        "import Glibc",
        "",
        "/// Made by Tests/Mutants. What is switched on is said in the environment, as names with commas.",
        "package enum Mutations {",
    ]
    for mutation in mutations:
        lines.append(f'    package static let {mutation.switch} = isOn("{mutation.name}")')
    lines += [
        "",
        "    private static func isOn(_ name: String) -> Bool {",
        '        guard let value = getenv("BATON_MUTATIONS") else { return false }',
        '        return String(cString: value).split(separator: ",").contains { $0 == name }',
        "    }",
        "}",
        "",
    ]
    return "\n".join(lines)


def write(path, text):
    """Writes a file, unless it says the same already: what did not change is not compiled again."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def generate(mutations):
    """Makes the package, or brings it up to date."""
    texts = mutate(mutations)
    files = {PACKAGE / "Package.swift": (LIST / "Package.swift.in").read_text()}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.swift")):
            file = str(path.relative_to(ROOT))
            files[PACKAGE / file] = texts.pop(file, None) or path.read_text()
    if texts:
        raise Problem(f"mutations of files that are not in the package: {', '.join(texts)}")
    files[PACKAGE / "Sources/BatonCore/Mutations.swift"] = switches(mutations)
    for folder in FOLDERS:
        for path in (PACKAGE / folder).rglob("*.swift"):
            if path not in files:
                path.unlink()
    for path, text in files.items():
        write(path, text)


def main():
    try:
        mutations = list(read_all().values())
        if "--check" in sys.argv:
            mutate(mutations)
        else:
            generate(mutations)
    except Problem as problem:
        print(f"mutants: {problem}", file=sys.stderr)
        return 1
    print(f"mutants: all {len(mutations)} mutations find their place")
    return 0


if __name__ == "__main__":
    sys.exit(main())
