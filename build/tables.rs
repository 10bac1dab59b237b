//! Reads and checks the tables in `data/` for the build script and for the tests of `src/port_info/`. Every error names the
//! file and the line.

/// One row of `iana.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registered<'a> {
    pub(crate) first: u16,
    pub(crate) last: u16,
    /// A bit for each of [`PROTOCOLS`].
    pub(crate) protocols: u8,
    /// Empty if the registry lists ports without a name.
    pub(crate) name: &'a str,
    pub(crate) description: &'a str,
}

/// One row of `common_uses.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UseRow<'a> {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) protocols: u8,
    pub(crate) tool: &'a str,
    pub(crate) platform: &'a str,
    pub(crate) category: &'a str,
    pub(crate) note: &'a str,
    /// The names the registry has for it, as the table itself claims.
    pub(crate) iana: &'a str,
    pub(crate) status: &'a str,
    /// The names of the processes that it runs as, with commas between; empty where they are not known.
    pub(crate) programs: &'a str,
}

/// One row of `sockets.tsv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path<'a> {
    pub(crate) path: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) programs: &'a str,
    /// The version that was observed to listen there, or the document that states it.
    pub(crate) source: &'a str,
}

/// The protocols that have ports, in the order of their bits.
pub(crate) const PROTOCOLS: [&str; 4] = ["tcp", "udp", "sctp", "dccp"];
const PLATFORMS: [&str; 4] = ["any", "linux", "macos", "windows"];
const STATUSES: [&str; 3] = ["iana", "primary", "list"];
/// The first port that is never assigned (RFC 6335, section 6).
const DYNAMIC: u16 = 49152;

/// Parses the rows of the registry, by ascending first port.
pub(crate) fn registry<'a>(file: &str, text: &'a str) -> Result<Vec<Registered<'a>>, String> {
    let mut rows: Vec<Registered<'a>> = Vec::new();
    for (line, row) in lines(file, text, "port\tproto\tname\tdescription")? {
        let wrong = |what: &str| format!("{file}:{line}: {what}");
        let [ports, protocols, name, description] = columns(row).ok_or_else(|| wrong("wants 4 columns"))?;
        let (first, last) = range(ports).ok_or_else(|| wrong("the ports are no number and no range"))?;
        let protocols = bits(protocols).ok_or_else(|| wrong("a protocol is not known"))?;
        let name = if name == "-" { "" } else { name };
        if last >= DYNAMIC {
            return Err(wrong("dynamic ports are never assigned"));
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+_".contains(&byte)) {
            return Err(wrong("the name has a character that names do not have"));
        }
        if !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return Err(wrong("the name has no letter, and would be taken for a number"));
        }
        if name.is_empty() && description.is_empty() {
            return Err(wrong("neither a name nor a description"));
        }
        if description.len() > 255 || description.contains(char::is_control) {
            return Err(wrong("the description is longer than 255 bytes or has a control character"));
        }
        if rows.last().is_some_and(|before| before.first > first) {
            return Err(wrong("not in order: ports ascend"));
        }
        let twice = |row: &&Registered<'_>| {
            row.first == first && row.last == last && row.protocols & protocols != 0 && row.name == name
        };
        if rows.iter().rev().take_while(|row| row.first == first).any(|row| twice(&row)) {
            return Err(wrong("the same name on the same port of a protocol a second time"));
        }
        rows.push(Registered { first, last, protocols, name, description });
    }
    Ok(rows)
}

/// Parses the rows of common uses, in ascending order.
pub(crate) fn common_uses<'a>(file: &str, text: &'a str) -> Result<Vec<UseRow<'a>>, String> {
    let mut rows: Vec<UseRow<'a>> = Vec::new();
    let header = "port\tproto\ttool\tplatform\tcategory\tnote\tiana\tstatus\tprograms";
    for (line, row) in lines(file, text, header)? {
        let wrong = |what: &str| format!("{file}:{line}: {what}");
        let [ports, protocols, tool, platform, category, note, iana, status, programs] =
            columns(row).ok_or_else(|| wrong("wants 9 columns"))?;
        let (first, last) = range(ports).ok_or_else(|| wrong("the ports are no number and no range"))?;
        let protocols = bits(protocols).ok_or_else(|| wrong("a protocol is not known"))?;
        if tool.is_empty() || category.is_empty() {
            return Err(wrong("the tool or the category is empty"));
        }
        if [tool, category, note].iter().any(|text| text.contains(char::is_control)) {
            return Err(wrong("a control character"));
        }
        if !PLATFORMS.contains(&platform) || !STATUSES.contains(&status) {
            return Err(wrong("the platform or the status is not known"));
        }
        check_programs(programs).map_err(wrong)?;
        if rows.last().is_some_and(|before| before.first > first) {
            return Err(wrong("not in order: ports ascend"));
        }
        rows.push(UseRow { first, last, protocols, tool, platform, category, note, iana, status, programs });
    }
    Ok(rows)
}

/// Parses the paths of Unix sockets, in ascending order.
pub(crate) fn sockets<'a>(file: &str, text: &'a str) -> Result<Vec<Path<'a>>, String> {
    let mut rows: Vec<Path<'a>> = Vec::new();
    for (line, row) in lines(file, text, "path\ttool\tprograms\tsource")? {
        let wrong = |what: &str| format!("{file}:{line}: {what}");
        let [path, tool, programs, source] = columns(row).ok_or_else(|| wrong("wants 4 columns"))?;
        if path.is_empty() || tool.is_empty() || source.is_empty() {
            return Err(wrong("the path, the tool or the source is empty"));
        }
        if row.chars().any(|letter| letter.is_control() && letter != '\t') {
            return Err(wrong("a control character"));
        }
        if path.starts_with("/var/run/") {
            return Err(wrong("/var/run is written /run"));
        }
        check_programs(programs).map_err(wrong)?;
        if rows.last().is_some_and(|before| before.path >= path) {
            return Err(wrong("not in order, or a second time: paths ascend"));
        }
        rows.push(Path { path, tool, programs, source });
    }
    Ok(rows)
}

/// Checks names that are separated by commas. A trailing star makes one a prefix.
fn check_programs(programs: &str) -> Result<(), &'static str> {
    let plain = |name: &str| {
        let name = name.strip_suffix('*').unwrap_or(name);
        !name.is_empty()
            && name.trim() == name
            && !name.contains(|letter: char| letter == '*' || letter.is_control())
    };
    match programs.is_empty() || programs.split(',').all(plain) {
        true => Ok(()),
        false => Err("the programs are no names with commas between"),
    }
}

/// Returns the numbered lines below the header.
fn lines<'a>(file: &str, text: &'a str, header: &str) -> Result<Vec<(usize, &'a str)>, String> {
    let mut lines = (1..).zip(text.lines());
    match lines.next() {
        Some((_, first)) if first == header => Ok(lines.collect()),
        _ => Err(format!("{file}:1: the header is not {}", header.replace('\t', ", "))),
    }
}

fn columns<const N: usize>(row: &str) -> Option<[&str; N]> {
    row.split('\t').collect::<Vec<&str>>().try_into().ok()
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first < last || !text.contains('-')).then_some((first, last))
}

fn number(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn bits(list: &str) -> Option<u8> {
    list.split(',').try_fold(0, |bits, name| {
        let at = PROTOCOLS.iter().position(|known| *known == name)?;
        Some(bits | 1 << at)
    })
}
