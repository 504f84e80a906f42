"""Check that no selection of crates compiles a dependency anew: part of `make check`.

cargo unifies features over the selected crates only, so `cargo test -p CRATE` would build candle once more
for each crate, if crates/workspace-hack did not ask for the same features everywhere. This script compares
what each crate that has it would build with what the whole workspace builds, and prints the features to
add there. It compiles nothing. The core crates go without workspace-hack, and are not looked at.

cargo shows what it would build on its nightly channel only; the toolchain is pinned, so that holds still.
"""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def units(*selection):
    """What cargo would build of packages that are not ours, by everything that tells builds apart."""
    graph = subprocess.run(
        ["cargo", "check", "--release", "--locked", "--offline", "--all-targets",
         "-Zunstable-options", "--unit-graph", *selection],
        cwd=ROOT, env=os.environ | {"RUSTC_BOOTSTRAP": "1"}, check=True, capture_output=True,
    ).stdout
    listed = json.loads(graph)["units"]
    keys = {}

    def key(i):
        if i not in keys:
            unit = listed[i]
            needs = tuple(sorted(key(d["index"]) for d in unit["dependencies"]))
            keys[i] = hash((
                unit["pkg_id"], unit["target"]["name"], tuple(unit["target"]["kind"]), unit["mode"],
                tuple(unit["features"]), json.dumps(unit["profile"], sort_keys=True), needs,
            ))
        return keys[i]

    theirs = [i for i, unit in enumerate(listed) if "path+file" not in unit["pkg_id"]]
    return {key(i): listed[i] for i in theirs}


def described(unit):
    for_build = unit["profile"]["opt_level"] == "0"
    return unit["pkg_id"].split("#")[-1], "build-dependencies" if for_build else "dependencies"


def main():
    whole = units("--workspace")
    wanted = {}
    for unit in whole.values():
        wanted.setdefault(described(unit), set()).update(unit["features"])
    drifted = False
    for manifest in sorted(ROOT.glob("crates/*/Cargo.toml")):
        if "workspace-hack" not in manifest.read_text():
            continue
        new = [u for k, u in units("--package", manifest.parent.name).items() if k not in whole]
        # What is built anew because something below it is, needs no line of its own.
        causes = {described(u) for u in new if set(u["features"]) != wanted.get(described(u))}
        drifted |= bool(new)
        for package, table in sorted(causes or {described(u) for u in new}):
            features = ", ".join(f'"{f}"' for f in sorted(wanted.get((package, table), [])))
            print(f"{manifest.parent.name} builds {package} anew: [{table}] features = [{features}]")
    if drifted:
        sys.exit("features have drifted: add the lines to crates/workspace-hack/Cargo.toml")


if __name__ == "__main__":
    main()
