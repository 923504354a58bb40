"""The vendor's own clients as judges: what one client changes, every client reads.

Takes the simulated cloud's host and port, a certificate with its key, a folder for files, and for each gateway a name, its
address and a token. The environment has the cloud's credentials (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY), and names
the certificate as trusted (SSL_CERT_FILE, with `trust` on PYTHONPATH).
"""

import os
import sys

import tls
from gateway import Gateway
from values import FIRST, SECOND
from vendor import Sdk2, Sdk3, Tccli


def main() -> None:
    cloud, certificate, key, folder, *gateways = sys.argv[1:]
    host, port = cloud.rsplit(":", 1)
    address = tls.start(certificate, key, (host, int(port)))
    credentials = (os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"])
    clients = [
        Sdk2(address, *credentials),
        Sdk3(address, *credentials),
        Tccli(address, *credentials, folder),
        *(Gateway(*gateways[at : at + 3]) for at in range(0, len(gateways), 3)),
    ]
    # Each client changes every field: its values differ from those of the client before it.
    for number, writer in enumerate(clients):
        values = SECOND if number % 2 else FIRST
        writer.change(values)
        for reader in clients:
            try:
                reader.check(values)
            except Exception as error:
                raise SystemExit(f"{reader.name} reads something else than {writer.name} wrote: {error}") from error
        print(f"{writer.name}: every client reads what it changed")
    Sdk2(address, *credentials, "HmacSHA256").check(values)


main()
