# syntax=docker/dockerfile:1
# A small image: the binary, root certificates, and an unprivileged user.
FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Cargo.toml Cargo.lock .clippy.toml rustfmt.toml ./
COPY migrations migrations
COPY src src
RUN cargo build --profile dist --locked --bin tunnelgate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/tunnelgate --shell /usr/sbin/nologin tunnelgate
COPY --from=build /src/target/dist/tunnelgate /usr/local/bin/tunnelgate
USER 10001
WORKDIR /var/lib/tunnelgate
ENV TUNNELGATE_LISTEN=0.0.0.0:8080 TUNNELGATE_LOG_FORMAT=json
EXPOSE 8080
# After SIGTERM the process finishes its work: allow it TUNNELGATE_SHUTDOWN_DELAY plus TUNNELGATE_SHUTDOWN_TIMEOUT.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tunnelgate"]
CMD ["serve"]
