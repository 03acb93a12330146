# Images of the two roles: --target server, the relay, and --target worker. How to build and run them: docs/containers.md.
# It takes BuildKit, or Buildah: they say what BUILDPLATFORM and TARGETARCH are.

# The Bun that package.json names. It runs on the machine that builds and compiles for the image's platform: nothing is emulated.
FROM --platform=$BUILDPLATFORM oven/bun:1.4.5 AS build
WORKDIR /build
COPY package.json bun.lock bunfig.toml ./
RUN ["bun", "install", "--frozen-lockfile", "--production"]
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
ARG TARGETARCH
ARG REVISION=unknown
# What is amd64 to Docker is x64 to Bun. /data stays empty: a relay's keys come there, and its owner with the copy below.
RUN case "$TARGETARCH" in amd64) machine=x64 ;; *) machine="$TARGETARCH" ;; esac \
    && MODELRELAY_COMMIT="$(printf %.7s "$REVISION")" bun run build --target "linux-$machine" --out /out \
    && mv "/out/modelrelay-linux-$machine" /out/modelrelay \
    && mkdir /data

# The base has the C library, which is all that the executable needs: no shell, no package manager. The CAs it trusts are inside it.
FROM gcr.io/distroless/base-nossl-debian13:nonroot@sha256:5cab74e7f8a5e7c5f1c8a9e6268b1f352f053c36c656f493308340bcecbc636c AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/modelrelay /usr/local/bin/modelrelay
COPY LICENSE /usr/share/doc/modelrelay/LICENSE
# In numbers, so that whoever runs it can see that it is not root.
USER 65532:65532
STOPSIGNAL SIGTERM

FROM runtime AS worker
LABEL org.opencontainers.image.title="modelrelay-worker" \
      org.opencontainers.image.description="The worker of ModelRelay: connects a model server to a relay"
# It listens on nothing, so there is nothing to ask. The relay's list of workers says which are connected.
HEALTHCHECK NONE
ENTRYPOINT ["/usr/local/bin/modelrelay", "work"]

FROM runtime AS server
LABEL org.opencontainers.image.title="modelrelay-server" \
      org.opencontainers.image.description="The relay of ModelRelay: takes clients' requests and gives them to workers"
ENV LISTEN_ADDR=0.0.0.0:8080 \
    MODELRELAY_DATA_DIR=/data
COPY --from=build --chown=65532:65532 /data /data
VOLUME ["/data"]
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 CMD ["/usr/local/bin/modelrelay", "health"]
ENTRYPOINT ["/usr/local/bin/modelrelay", "serve"]
