# syntax=docker/dockerfile:1
# The operator's image: one static program, the certificates to trust, and nothing else.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" \
#     --build-arg REVISION="$(git rev-parse HEAD)" --output type=image,rewrite-timestamp=true,push=true -t REPOSITORY:VERSION .
#
# Each architecture is built on itself: musl is the system's own libc there, and no cross compiler is needed. For the same
# bytes again, give the build image by its digest (RUST_IMAGE=docker.io/library/rust@sha256:…).
ARG RUST_IMAGE=docker.io/library/rust:1.95.0-alpine3.22

FROM ${RUST_IMAGE} AS build
RUN apk add --no-cache bash build-base ca-certificates cmake linux-headers perl
WORKDIR /build
ENV CARGO_INCREMENTAL=0 \
    CARGO_TERM_COLOR=never \
    RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/build=. --remap-path-prefix=/usr/local/cargo=cargo"

# The dependencies alone, which stay in the cache as long as the manifests do.
COPY Cargo.toml Cargo.lock ./
COPY arm-emulator/Cargo.toml arm-emulator/
COPY control-plane/Cargo.toml control-plane/
COPY stage/Cargo.toml stage/
COPY tools/image-skeleton tools/
RUN tools/image-skeleton && \
    cargo build --locked --profile image --bin foundry-operator

COPY src src
ARG SOURCE_DATE_EPOCH=0
# Cargo goes by the time of a file, and those of the skeleton may be younger.
RUN find src -exec touch {} + && \
    cargo build --locked --profile image --bin foundry-operator
COPY tools/image-root tools/
RUN SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} tools/image-root target/image/foundry-operator /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="foundry-operator" \
      org.opencontainers.image.description="Azure AI Foundry hubs, projects and connections as Kubernetes objects" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="https://github.com/foundryoperator/foundry-operator"
COPY --from=build /image/ /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/foundry-operator"]
CMD ["run"]
