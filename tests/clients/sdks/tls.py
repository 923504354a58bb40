"""Ends TLS in front of the simulated cloud, because the vendor's older clients speak nothing else."""

import asyncio
import ssl
import threading


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()


def start(certificate: str, key: str, cloud: tuple[str, int]) -> str:
    """Listens on a free loopback port, in a thread of its own, and returns host and port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    address: list[str] = []
    ready = threading.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*cloud)
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        host, port = server.sockets[0].getsockname()
        address.append(f"{host}:{port}")
        ready.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
    assert ready.wait(10), "the TLS proxy does not start"
    return address[0]
