# What CI does, one word each.

default: check test

build:
    cargo build --release --locked

check:
    cargo fmt --all --check
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo clippy --locked --lib --no-default-features -- -D warnings
    .ci/library

test:
    cargo test --locked

docs:
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --all-features

ci:
    bash .ci/run

bench *ARGUMENTS:
    RUSTFLAGS='--cfg allears_internals' cargo bench --locked {{ARGUMENTS}}

# cargo-fuzz passes unstable flags; RUSTC_BOOTSTRAP enables them.
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/corpus/{{TARGET}}
    RUSTFLAGS='--cfg allears_internals' RUSTC_BOOTSTRAP=1 cargo fuzz run {{TARGET}} fuzz/corpus/{{TARGET}} fuzz/seeds/{{TARGET}} -- -max_total_time={{SECONDS}}
