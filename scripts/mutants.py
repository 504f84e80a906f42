"""Mutation testing, file by file, of what the guarantee rests on: `make mutants [FILES="PART ..."]`.

cargo-mutants changes a function at a time and runs its crate's tests; a mutant that they let pass stands
for a fault that nobody would notice. This script runs it on one file after another and keeps the results
under target/mutants/. A file whose content is the one tested before is skipped, unless a mutant of it
survived and its crate has changed since (a new test, say): then only the survivors are tried again. So a
run that was stopped goes on where it was.

A survivor must be killed by a test, or be listed in docs/mutants.md as what cargo-mutants calls it, with
the reason why it changes nothing. Exits 1 where one is neither.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / "target/mutants"
TREE = HOME / "tree"
ENVIRONMENT = os.environ | {
    "PATH": f"{HOME}/bin:{os.environ['PATH']}",
    "CARGO_TARGET_DIR": str(HOME / "build"),
}

# What is tested: crate, and which of its sources.
SCOPE = [
    ("albumen-accounting", "src/**/*.rs"),
    ("albumen-dp", "src/**/*.rs"),
    ("albumen-oneshot", "src/**/*.rs"),
    ("albumen-schema", "src/config/**/*.rs"),
    ("albumen-train", "src/training.rs"),
    ("albumen-train", "src/training/*.rs"),
    ("albumen-train", "src/sequences.rs"),
    ("albumen-train", "src/settings.rs"),
    ("albumen-train", "src/escrow*.rs"),
    ("albumen-train", "src/escrow/*.rs"),
]


def digest(paths):
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return sha.hexdigest()


def files(parts):
    """`(crate, file)` of everything in scope that has one of the parts in its path."""
    for crate, pattern in SCOPE:
        for path in sorted((ROOT / "crates" / crate).glob(pattern)):
            name = str(path.relative_to(ROOT))
            if not path.stem.endswith("tests") and (not parts or any(p in name for p in parts)):
                yield crate, path


def copy_tree():
    """The sources at a place of their own: a run that is killed leaves a mutant there and nowhere else."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    ).stdout.split(b"\0")
    shutil.rmtree(TREE, ignore_errors=True)
    for name in filter(None, listed):
        source, target = ROOT / name.decode(), TREE / name.decode()
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            # Not its time: cargo must see that a mutant left by a killed run is gone.
            shutil.copy(source, target)


def names(out, kind):
    """Mutants of one kind, without line and column, which move."""
    path = out / "mutants.out" / f"{kind}.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [f"{line.split(':', 1)[0]}: {line.split(': ', 1)[1]}" for line in lines]


def run(crate, path):
    """Tests one file's mutants and gives the kinds' names."""
    name = path.relative_to(ROOT)
    out = HOME / "results" / str(name).replace("/", "__")
    stamp = out / "stamp.json"
    crate_dir = ROOT / "crates" / crate
    tests = [p for p in crate_dir.rglob("*") if p.is_file() and "target" not in p.parts]
    now = {"file": digest([path]), "crate": digest(tests)}
    before = json.loads(stamp.read_text()) if stamp.exists() else {}
    same_file = before.get("file") == now["file"]
    survivors = names(out, "missed") + names(out, "timeout")
    if same_file and before.get("done") and (not survivors or before["crate"] == now["crate"]):
        return out, "as before"
    if not same_file:
        shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    stamp.write_text(json.dumps(now | {"done": False}))
    command = [
        "cargo", "mutants", "--dir", str(TREE), "--in-place", "--package", crate, "--file", str(name),
        "--output", str(out), "--iterate", "--profile", "release", "--no-shuffle", "--colors", "never",
        "--minimum-test-timeout", "60", "--", "--lib", "--tests",
    ]
    code = subprocess.run(command, cwd=TREE, env=ENVIRONMENT, check=False).returncode
    # 0: all caught, 2: some missed, 3: some timed out; the rest is no result.
    if code not in (0, 2, 3):
        sys.exit(f"mutants: cargo mutants ended with {code} on {name}")
    stamp.write_text(json.dumps(now | {"done": True}))
    return out, "tested"


def explained():
    """Names of the survivors that docs/mutants.md gives a reason for."""
    page = ROOT / "docs/mutants.md"
    lines = page.read_text().splitlines() if page.exists() else []
    return {line.split("`")[1] for line in lines if line.startswith("| `")}


def main():
    copy_tree()
    totals, open_, late = {}, [], []
    reasons = explained()
    for crate, path in files(sys.argv[1:]):
        out, how = run(crate, path)
        missed = [n for n in names(out, "missed") if n not in reasons]
        timeouts = names(out, "timeout")
        killed = len(names(out, "caught") + names(out, "previously_caught"))
        open_ += missed
        late += timeouts
        count = totals.setdefault(crate, [0, 0, 0, 0])
        for i, n in enumerate(
            [killed, len(names(out, "missed")) - len(missed), len(missed), len(timeouts)]
        ):
            count[i] += n
        print(f"== {path.relative_to(ROOT)}: {how}, {killed} killed, {len(missed)} survive", flush=True)
    print("\n| crate | killed or not buildable | equivalent | survive | timed out |\n|---|---|---|---|---|")
    for crate, count in totals.items():
        print(f"| {crate} | " + " | ".join(map(str, count)) + " |")
    for title, mutants in [("Timed out", late), ("Survive", open_)]:
        if mutants:
            print(f"\n{title}:\n" + "\n".join(mutants))
    sys.exit(1 if open_ else 0)


if __name__ == "__main__":
    main()
