//! Generates Rust from the tables in `data/`: one text with every name and description once, and rows of eight bytes that
//! point into it, so that the program builds no table when it starts. It also stops the build on an unsupported system with
//! one line, instead of a compiler error for everything that is missing.

mod tables;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use tables::{Path as SocketPath, Registered, UseRow};

/// The systems that `src/os` has a module for: their names, and those of the compiler.
const SUPPORTED: [(&str, &str); 3] = [("Linux", "linux"), ("macOS", "macos"), ("Windows", "windows")];

const REGISTRY: &str = "data/iana.tsv";
const COMMON_USES: &str = "data/common_uses.tsv";
const SOCKETS: &str = "data/sockets.tsv";

#[expect(clippy::print_stdout, reason = "a build script talks to cargo by it")]
fn main() -> Result<(), String> {
    let system = env::var("CARGO_CFG_TARGET_OS").map_err(|error| format!("CARGO_CFG_TARGET_OS: {error}"))?;
    if !SUPPORTED.iter().any(|(_, known)| *known == system) {
        let names = SUPPORTED.map(|(name, _)| name).join(", ");
        println!(
            "cargo::error=allears does not support {system} yet, neither the library nor the command. \
             Supported systems: {names}"
        );
        return Ok(());
    }
    for file in [REGISTRY, COMMON_USES, SOCKETS, "build"] {
        println!("cargo::rerun-if-changed={file}");
    }
    let read = |file: &str| fs::read_to_string(file).map_err(|error| format!("{file}: {error}"));
    let (registry, common_uses) = (read(REGISTRY)?, read(COMMON_USES)?);
    let mut rows = tables::registry(REGISTRY, &registry)?;
    // Single ports are found by binary search; ranges are few.
    rows.sort_by_key(|row| row.first != row.last);
    let mut out = registry_to_rust(&rows)?;
    out.push_str(&common_uses_to_rust(&tables::common_uses(COMMON_USES, &common_uses)?));
    out.push_str(&sockets_to_rust(&tables::sockets(SOCKETS, &read(SOCKETS)?)?));
    let folder = env::var_os("OUT_DIR").ok_or("cargo gives OUT_DIR to build scripts")?;
    let made = Path::new(&folder).join("tables.rs");
    fs::write(&made, out).map_err(|error| format!("{}: {error}", made.display()))
}

fn registry_to_rust(rows: &[Registered<'_>]) -> Result<String, String> {
    let mut text = String::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    let (mut ports, mut ranges) = (String::new(), String::new());
    let (mut port_count, mut range_count) = (0, 0);
    let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, row) in rows.iter().enumerate() {
        let at = *places.entry((row.name, row.description)).or_insert_with(|| {
            let at = text.len();
            text.push_str(row.name);
            text.push_str(row.description);
            at
        });
        if at >= 1 << 24 {
            return Err(format!("{REGISTRY}: more text than 24 bits can point into"));
        }
        let packed = at << 8 | row.description.len();
        let entry = format!("Row({},{},{},{packed}),", row.first, row.protocols, row.name.len());
        if row.first == row.last {
            port_count += 1;
            ports.push_str(&entry);
        } else {
            range_count += 1;
            let _ = write!(ranges, "({entry} {}),", row.last);
        }
        if !row.name.is_empty() {
            names.entry(row.name.to_ascii_lowercase()).or_default().push(number);
        }
    }
    let index: Vec<usize> = names.into_values().flatten().collect();
    if rows.len() > usize::from(u16::MAX) {
        return Err(format!("{REGISTRY}: more rows than 16 bits can count"));
    }
    let index_count = index.len();
    let index: String = index.iter().map(|number| format!("{number},")).collect();
    Ok(format!(
        "pub(super) static TEXT: &str = {text:?};\n\
         pub(super) static PORTS: [Row; {port_count}] = [{ports}];\n\
         pub(super) static RANGES: [(Row, u16); {range_count}] = [{ranges}];\n\
         pub(super) static BY_NAME: [u16; {index_count}] = [{index}];\n"
    ))
}

fn common_uses_to_rust(rows: &[UseRow<'_>]) -> String {
    let mut out = format!("pub(super) static USES: [UseRow; {}] = [", rows.len());
    for row in rows {
        // The registry's own entries are not repeated.
        let UseRow { first, last, protocols, tool, platform, category, note, status, programs, iana: _ } =
            row;
        // One text for each row takes a third of the space of one for each column.
        let text = [tool, platform, category, note, status, programs].map(|text| *text).join("\t");
        let _ =
            write!(out, "UseRow {{ first: {first}, last: {last}, protocols: {protocols}, text: {text:?} }},");
    }
    out + "];\n"
}

fn sockets_to_rust(rows: &[SocketPath<'_>]) -> String {
    let mut out = format!("pub(super) static SOCKETS: [&str; {}] = [", rows.len());
    for SocketPath { path, tool, programs, source: _ } in rows {
        let _ = write!(out, "{:?},", [path, tool, programs].map(|text| *text).join("\t"));
    }
    out + "];\n"
}
