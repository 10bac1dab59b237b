//! What commonly listens on a port, whether or not the registry agrees: the rows of `data/common_uses.tsv`.

use super::registry::bit;
use super::tables::{USES, UseRow};
use super::{CommonUse, PROTOCOLS, UseStatus};
use crate::model::System;
use crate::model::compact::CompactSort as _;

/// Returns the uses of a port, the best documented first, and among equals a single port before a range.
pub(super) fn uses(port: u16) -> Vec<CommonUse> {
    let rows = USES.iter().take_while(|row| row.first <= port).filter(|row| row.last >= port);
    let mut uses: Vec<CommonUse> = rows.flat_map(uses_in_row).collect();
    uses.compact_sort_by_key(|one| (one.status, one.ports.end() - one.ports.start()));
    uses
}

/// Words in the names of many tools, which identify none.
const COMMON_WORDS: [&str; 9] =
    ["alternate", "debug", "debugger", "dev", "http", "https", "proxy", "server", "web"];

/// Returns every use whose tool has this word in its name. Case is ignored.
pub(super) fn by_tool(word: &str) -> Vec<CommonUse> {
    if word.len() < 3 || COMMON_WORDS.contains(&word) {
        return Vec::new();
    }
    let names = |row: &&UseRow| {
        let [tool, ..] = columns(row);
        let mut words = tool.split(|letter: char| !letter.is_alphanumeric());
        words.any(|known| known.eq_ignore_ascii_case(word))
    };
    USES.iter().filter(names).flat_map(uses_in_row).collect()
}

/// Returns whether a process of this name is one of these programs, which are separated by commas. The name may continue
/// after a space: `dask scheduler`.
pub(super) fn is_one_of(programs: &str, name: &[u8]) -> bool {
    let begins =
        |start: &str| name.get(..start.len()).is_some_and(|part| part.eq_ignore_ascii_case(start.as_bytes()));
    !programs.is_empty()
        && programs.split(',').any(|program| match program.strip_suffix('*') {
            Some(start) => begins(start),
            None => begins(program) && matches!(name.get(program.len()), None | Some(b' ' | b':')),
        })
}

/// Returns whether a program of this name uses any port.
#[cfg(feature = "cli")]
pub(super) fn is_known(name: &[u8]) -> bool {
    USES.iter().any(|row| {
        let [.., programs] = columns(row);
        is_one_of(programs, name)
    })
}

fn uses_in_row(row: &UseRow) -> impl Iterator<Item = CommonUse> + '_ {
    let protocols = PROTOCOLS.into_iter().filter(|protocol| row.protocols & bit(*protocol) != 0);
    let [tool, platform, category, note, status, programs] = columns(row);
    protocols.map(move |protocol| CommonUse {
        protocol,
        ports: row.first..=row.last,
        tool,
        platform: Some(platform).filter(|platform| *platform != "any").map(System::from),
        category,
        note: Some(note).filter(|note| !note.is_empty()),
        status: match status {
            "iana" => UseStatus::Iana,
            "primary" => UseStatus::Primary,
            _ => UseStatus::List,
        },
        programs,
    })
}

fn columns(row: &UseRow) -> [&'static str; 6] {
    let mut columns = row.text.split('\t');
    [(); 6].map(|()| columns.next().unwrap_or_default())
}
