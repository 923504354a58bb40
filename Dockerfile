# syntax=docker/dockerfile:1
# The image contains the binary, the C library, root certificates and one unprivileged user: no shell, no package manager.
# It runs with a read-only root file system; only a SQLite ledger writes, to /var/lib/tunnelgate.
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) --tag tunnelgate:0.1.0 .
FROM rust:1.95-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock .clippy.toml rustfmt.toml ./
COPY migrations migrations
COPY src src
RUN cargo build --profile dist --locked --bin tunnelgate
COPY deploy/container deploy/container
RUN deploy/container/root target/dist/tunnelgate /image

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tunnelgate" \
      org.opencontainers.image.description="A REST gateway that lets a company's own teams change Tencent Cloud VPN tunnels safely" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /image /
COPY --from=build --chown=10001:10001 /image/var/lib/tunnelgate /var/lib/tunnelgate
ENV PATH=/usr/local/bin \
    TUNNELGATE_LISTEN=0.0.0.0:8080 \
    TUNNELGATE_LOG_FORMAT=json
USER 10001:10001
WORKDIR /var/lib/tunnelgate
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["/usr/local/bin/tunnelgate", "health"]
# After SIGTERM the process finishes its work: allow it TUNNELGATE_SHUTDOWN_DELAY plus TUNNELGATE_SHUTDOWN_TIMEOUT.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/tunnelgate"]
CMD ["serve"]
