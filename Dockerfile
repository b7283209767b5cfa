# syntax=docker/dockerfile:1

# Alpine's Rust targets musl, so the binary is static and runs in an empty image.
ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-alpine AS build
# The C headers and compiler are for `ring`.
RUN apk add --no-cache gcc musl-dev
WORKDIR /src
COPY . .
# The downloads and the built dependencies stay in BuildKit's cache between builds, and no layer
# holds them; that is why the binary is copied out in the same step. Cargo compares times: with
# `touch` a checkout that is older than the cache is built all the same.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    touch src/lib.rs src/main.rs simulator/src/lib.rs \
    && cargo build --release --locked --bin free-llm-proxy \
    && cp target/release/free-llm-proxy /free-llm-proxy

FROM scratch
COPY --from=build /free-llm-proxy /free-llm-proxy
# A number, because there is no /etc/passwd here to look up a name.
USER 65532:65532
ENV HOST=0.0.0.0 PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s --retries=3 CMD ["/free-llm-proxy", "health"]
ENTRYPOINT ["/free-llm-proxy"]
