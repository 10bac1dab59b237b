# What CI does, one word each.

default: check test

build:
    cargo build --release --locked

check:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --lib --no-default-features -- -D warnings

test:
    cargo test --locked

docs:
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps

ci:
    bash .ci/run
