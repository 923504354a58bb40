"""The vendor's own clients as judges: what one client changes, every client reads.

Takes the simulated cloud's host and port, a certificate with its key, a folder for files, and address and token of a gateway
on API 2.0 and of one on API 3.0. The environment has the cloud's credentials (TENCENTCLOUD_SECRET_ID, TENCENTCLOUD_SECRET_KEY), and names
the certificate as trusted (SSL_CERT_FILE, with `trust` on PYTHONPATH).
"""

import os
import sys
from collections.abc import Callable
from typing import Any

import tls
from gateway import Gateway
from only_3 import FIRST_3, SECOND_3
from values import FIRST, SECOND
from vendor import Sdk2, Sdk3, Tccli


def compare(writer: Any, reader: Any, check: Callable[[], None]) -> None:
    try:
        check()
    except Exception as error:
        raise SystemExit(f"{reader.name} reads something else than {writer.name} wrote: {error!r}") from error


def main() -> None:
    cloud, certificate, key, folder, *gateways = sys.argv[1:]
    old, new = Gateway("tunnelgate on API 2.0", *gateways[:2]), Gateway("tunnelgate on API 3.0", *gateways[2:])
    host, port = cloud.rsplit(":", 1)
    address = tls.start(certificate, key, (host, int(port)))
    credentials = (os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"])
    sdk2, sdk3 = Sdk2(address, *credentials), Sdk3(address, *credentials)
    tccli = Tccli(address, *credentials, folder)
    # Each client changes every field: its values differ from those of the client before it.
    for number, writer in enumerate([sdk2, sdk3, old, new, tccli]):
        values = SECOND if number % 2 else FIRST
        writer.change(values)
        # tccli is slow, and reads with the SDK.
        for reader in [sdk2, sdk3, old, new] + [tccli] * (writer not in (sdk2, sdk3)):
            compare(writer, reader, lambda: reader.check(values))
        print(f"{writer.name}: every client reads what it changed")
    Sdk2(address, *credentials, "HmacSHA256").check(values)
    for number, writer in enumerate([sdk3, new, tccli]):
        values = SECOND_3 if number % 2 else FIRST_3
        writer.change(values)
        for reader in [sdk3, new, tccli]:
            compare(writer, reader, lambda: reader.check_only_3(values))
        print(f"{writer.name}: the clients of API 3.0 read what only API 3.0 has")


main()
