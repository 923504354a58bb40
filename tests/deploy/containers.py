"""Prints what each container of compose.yaml and of the Kubernetes manifests that runs `serve` would be started with: its
variables, and the files that its secrets and configuration become. Input is the JSON of `docker-compose config` or the
YAML of `kubectl kustomize`; the files are written below FOLDER, the variables to FOLDER/NAME.env.

usage: containers.py compose|kubernetes FOLDER <INPUT
"""
import base64
import json
import pathlib
import sys

import yaml


def write(root, path, content):
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def compose(document, root):
    service = document["services"]["tunnelgate"]
    for secret in service["secrets"]:
        source = pathlib.Path(document["secrets"][secret["source"]]["file"])
        write(root, secret.get("target") or f"/run/secrets/{secret['source']}", source.read_bytes())
    return service["environment"]


def kubernetes(documents, root):
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in documents}
    pod = by_kind["Deployment", "tunnelgate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "secret" in volume:
            entries = by_kind["Secret", volume["secret"]["secretName"]]["data"]
            files = {name: base64.b64decode(value) for name, value in entries.items()}
        elif "configMap" in volume:
            entries = by_kind["ConfigMap", volume["configMap"]["name"]]["data"]
            files = {name: value.encode() for name, value in entries.items()}
        else:
            continue
        for name, content in files.items():
            write(root, f"{mount['mountPath']}/{name}", content)
    return {variable["name"]: variable["value"] for variable in container["env"]}


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "compose":
        variables = compose(json.load(sys.stdin), folder)
    else:
        variables = kubernetes([one for one in yaml.safe_load_all(sys.stdin) if one], folder)
    (folder / "variables").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


main()
