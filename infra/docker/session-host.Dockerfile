# syntax=docker/dockerfile:1
# The session host of the serverless shape. From the repository's root:
#   docker build --file infra/docker/session-host.Dockerfile --build-arg NETWORK=whatsapp --tag waxwing/session-host .

FROM rust:1.95-slim-bookworm AS build
# sandbox: the simulated network. whatsapp: the live build, which checks WhatsApp's certificates.
ARG NETWORK=sandbox
ARG TARGETARCH
WORKDIR /src
COPY . .
# The caches keep registry and compiled dependencies; the two builds have a target folder each.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=waxwing-target-${NETWORK}-${TARGETARCH},target=/src/target \
    case "$NETWORK" in sandbox) features= ;; whatsapp) features=--no-default-features ;; *) echo "NETWORK is sandbox or whatsapp" >&2; exit 1 ;; esac \
    && cargo build --release --locked --package waxwing-session-host $features \
    && install -D target/release/waxwing-session-host /out/session-host

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="waxwing-session-host" org.opencontainers.image.licenses="AGPL-3.0-only"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/session-host /usr/local/bin/
COPY infra/docker/healthcheck /usr/local/bin/
COPY LICENSE LICENSE-AGPL LICENSE-APACHE /usr/share/doc/waxwing/
RUN groupadd --gid 10001 waxwing && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin waxwing
USER 10001:10001
ENTRYPOINT ["session-host"]
EXPOSE 8081
