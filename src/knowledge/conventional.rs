//! What commonly listens on a port, whether or not the registry agrees: the rows of `data/conventional.tsv`.

use super::registry::bit;
use super::tables::USES;
use super::{PROTOCOLS, Use, UseStatus};

/// One row, as the build script writes it.
pub(super) struct Common {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) protocols: u8,
    /// Tool, platform, category, note and status, with tabs between.
    pub(super) text: &'static str,
}

/// The uses of a port, the best founded first; among those, a port of its own before a range.
pub(super) fn uses(port: u16) -> Vec<Use> {
    let rows = USES.iter().take_while(|row| row.first <= port).filter(|row| row.last >= port);
    let mut uses: Vec<Use> = rows.flat_map(of_row).collect();
    uses.sort_by_key(|one| (one.status, one.ports.end() - one.ports.start()));
    uses
}

/// Words that many tools have in their names, so that they mean none.
const COMMON_WORDS: [&str; 9] =
    ["alternate", "debug", "debugger", "dev", "http", "https", "proxy", "server", "web"];

/// Every use whose tool has this word in its name, in either case.
pub(super) fn by_tool(word: &str) -> Vec<Use> {
    if word.len() < 3 || COMMON_WORDS.contains(&word) {
        return Vec::new();
    }
    let names = |row: &&Common| {
        let [tool, ..] = columns(row);
        let mut words = tool.split(|letter: char| !letter.is_alphanumeric());
        words.any(|known| known.eq_ignore_ascii_case(word))
    };
    USES.iter().filter(names).flat_map(of_row).collect()
}

fn of_row(row: &Common) -> impl Iterator<Item = Use> + '_ {
    let protocols = PROTOCOLS.into_iter().filter(|protocol| row.protocols & bit(*protocol) != 0);
    let [tool, platform, category, note, status] = columns(row);
    protocols.map(move |protocol| Use {
        protocol,
        ports: row.first..=row.last,
        tool,
        platform: Some(platform).filter(|platform| *platform != "any"),
        category,
        note: Some(note).filter(|note| !note.is_empty()),
        status: match status {
            "iana" => UseStatus::Iana,
            "primary" => UseStatus::Primary,
            _ => UseStatus::List,
        },
    })
}

fn columns(row: &Common) -> [&'static str; 5] {
    let mut columns = row.text.split('\t');
    [(); 5].map(|()| columns.next().unwrap_or_default())
}
