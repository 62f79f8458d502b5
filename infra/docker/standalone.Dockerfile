# syntax=docker/dockerfile:1
# `waxwing`: everything in one process, and `waxwing sandbox`. From the repository's root:
#   docker build --file infra/docker/standalone.Dockerfile --build-arg NETWORK=sandbox --tag waxwing/standalone .

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
    && cargo build --release --locked --package waxwing-server $features \
    && install -D target/release/waxwing /out/waxwing

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="waxwing" org.opencontainers.image.licenses="AGPL-3.0-only"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/waxwing /usr/local/bin/
COPY infra/docker/healthcheck /usr/local/bin/
COPY LICENSE LICENSE-AGPL LICENSE-APACHE /usr/share/doc/waxwing/
# The volume is declared after its owner is set, so that every volume mounted here begins with that owner.
RUN groupadd --gid 10001 waxwing && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin waxwing \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
VOLUME /data
USER 10001:10001
ENV WAXWING_DATA_DIR=/data
ENTRYPOINT ["waxwing"]
CMD ["up", "--listen", "0.0.0.0:8080"]
EXPOSE 8080
