"""Sends a text over TCP from an address in the namespace `peer` to one in the namespace `cloud`, and reads it back."""

import ctypes
import socket
import sys
import threading

TEXT = b"through the tunnel" * 500


def enter(name):
    with open(f"/run/netns/{name}") as namespace:
        # os.setns needs Python 3.12.
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns({name})")


def echo(server):
    connection, _ = server.accept()
    with connection:
        while received := connection.recv(65536):
            connection.sendall(received)


def main():
    source, target, seconds = sys.argv[1:]
    # A socket stays in the namespace that it was made in.
    enter("cloud")
    server = socket.create_server((target, 0))
    threading.Thread(target=echo, args=(server,), daemon=True).start()
    enter("peer")
    place = (target, server.getsockname()[1])
    with socket.create_connection(place, timeout=float(seconds), source_address=(source, 0)) as client:
        client.sendall(TEXT)
        client.shutdown(socket.SHUT_WR)
        received = b""
        while part := client.recv(65536):
            received += part
    if received != TEXT:
        sys.exit(f"{len(received)} of {len(TEXT)} bytes came back")


main()
