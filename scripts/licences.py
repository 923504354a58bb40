"""Prints the licences of every crate that is part of the binary: expression, then the texts that the crate ships.

usage: licences.py CARGO_TOML TARGET
"""
import json
import pathlib
import subprocess
import sys

TEXTS = ("LICEN", "COPYING", "NOTICE", "UNLICENSE")


def linked(metadata):
    """The packages that the binary links: dependencies of dependencies, without those of builds and tests."""
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    found, open_ids = set(), [metadata["resolve"]["root"]]
    while open_ids:
        one = open_ids.pop()
        if one in found:
            continue
        found.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                open_ids.append(dependency["pkg"])
    return found - {metadata["resolve"]["root"]}


def main():
    manifest, target = sys.argv[1:]
    command = ["cargo", "metadata", "--locked", "--format-version=1", f"--manifest-path={manifest}", f"--filter-platform={target}"]
    metadata = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    without = []
    for package in sorted((packages[one] for one in linked(metadata)), key=lambda package: (package["name"], package["version"])):
        if not (package["license"] or package["license_file"]):
            without.append(package["name"])
        print("=" * 80)
        print(f"{package['name']} {package['version']}: {package['license'] or 'see the text'}")
        print(f"{package['repository'] or ''}\n")
        folder = pathlib.Path(package["manifest_path"]).parent
        for text in sorted(folder.iterdir()):
            if text.is_file() and text.name.upper().startswith(TEXTS):
                print(f"--- {text.name}\n{text.read_text(errors='replace').strip()}\n")
    if without:
        sys.exit(f"no licence: {', '.join(without)}")


main()
