# One image for every role: `billwatch coordinator`, `billwatch worker`, and the tools (ingest, query, verify, ...).
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" -t billwatch:0.1.0 .
#   podman build --build-arg ... -t billwatch:0.1.0 .
#
# The two base images are arguments, so that a site can name its own mirror or hardened base. BUILD_IMAGE needs Rust 1.90 or
# newer; what RocksDB's C++ needs is installed by .ci/setup where it is missing. RUNTIME_IMAGE needs glibc no older than the
# build image's and libstdc++. Where crates cannot be downloaded in the build, give cargo a directory of crates with
# CARGO_HOME and a volume, and CARGO_FLAGS=--offline. TARGET_DIR may be a volume as well (k8s/test/image does both).
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${BUILD_IMAGE} AS build
ARG CARGO_HOME=/usr/local/cargo
ARG CARGO_FLAGS=""
ARG TARGET_DIR=/var/cache/target
WORKDIR /billwatch
COPY .ci/setup .ci/setup
RUN .ci/setup
COPY . .
# The target directory is a cache of the builder, not a layer: RocksDB is compiled once (about ten minutes on two cores).
# An empty data directory is made here because the last stage has nothing to run `install` with that would not be a layer more.
RUN --mount=type=cache,id=billwatch-target,target=/var/cache/target \
    CARGO_TARGET_DIR=${TARGET_DIR} cargo build --release --locked ${CARGO_FLAGS} --package billwatch --bin billwatch \
    && install -D -m 0755 --strip ${TARGET_DIR}/release/billwatch /out/billwatch \
    && install -d -m 0750 -o 65532 -g 65532 /out/data

FROM ${RUNTIME_IMAGE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="billwatch" \
      org.opencontainers.image.description="Watches China's whole commercial bill market while it happens: coordinator, worker and tools" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/billwatch /usr/local/bin/billwatch
# The only path a role writes to. On Kubernetes a volume is mounted here; the root file system may be read-only.
COPY --from=build --chown=65532:65532 /out/data /var/lib/billwatch
# Fails the build if the base image lacks a library that the binary needs.
RUN ["/usr/local/bin/billwatch", "--version"]
USER 65532:65532
WORKDIR /var/lib/billwatch
# Queries and ingest; the worker agent's probes; the mesh between workers; metrics.
EXPOSE 7400 7401 7500 9464
ENTRYPOINT ["/usr/local/bin/billwatch"]
CMD ["--help"]
