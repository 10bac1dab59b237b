//! The JSON Schemas (draft 2020-12) of the documents, put together from the definitions in `data/schema/`.
//!
//! A schema is printed with the definitions that it uses, so that it needs no other file. The definitions are written
//! by hand and not derived from the types of [`super::json`]: the tests compare the two, so that a key that changes by
//! accident is noticed.

/// The documents that have a schema, with what each is.
pub(crate) const DOCUMENTS: [(&str, &str); 13] = [
    ("snapshot", "what allears --json prints, and --from and diff read"),
    ("line", "a line of allears --ndjson: a listener, or a gap"),
    ("why", "what allears why --json prints"),
    ("free", "what allears free --json prints"),
    ("wait", "what allears wait --json prints"),
    ("next", "what allears next --json prints"),
    ("diff", "what allears diff --json prints"),
    ("about", "what allears about --json prints"),
    ("watch", "a line of allears watch --ndjson: an event, or a gap"),
    ("watch-command", "a line of allears watch --ndjson -- COMMAND"),
    ("listener", "a socket with its holders, a part of most documents"),
    ("holder", "a process that has a socket open, a part of a listener"),
    ("gap", "what could not be read, a part of most documents"),
];

macro_rules! definitions {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../../data/schema/", $name, ".json")))),+]
    };
}

/// Every definition by its name, which is that of its file.
const DEFINITIONS: &[(&str, &str)] = definitions! {
    "about",
    "about-port",
    "address",
    "bind-target",
    "bytes",
    "candidate",
    "change-event",
    "command-end",
    "condition",
    "connection",
    "container",
    "diff",
    "differs",
    "error-name",
    "evidence",
    "family",
    "file-change",
    "free",
    "free-port",
    "gap",
    "gap-line",
    "hindrance",
    "holder",
    "kernel-socket",
    "line",
    "listener",
    "neighbour",
    "next",
    "pid",
    "port",
    "ports",
    "process-name",
    "project",
    "protocol",
    "query",
    "related-process",
    "service",
    "shared",
    "side",
    "snapshot",
    "state",
    "step-action",
    "supervisor",
    "system",
    "time",
    "uid",
    "unseen",
    "user-unknown",
    "wait",
    "wait-target",
    "watch",
    "watch-command",
    "why",
    "why-port",
};

/// What precedes the name of a definition in a reference to it.
const REFERENCE: &str = "\"#/$defs/";

/// Returns the names of the documents with what each is, a line for each.
pub(crate) fn list() -> String {
    DOCUMENTS.iter().map(|(name, about)| format!("{name:13}  {about}\n")).collect()
}

/// Returns the schema of a document. `None` if there is no such document.
pub(crate) fn schema(name: &str) -> Option<String> {
    let (_, about) = DOCUMENTS.iter().find(|(known, _)| *known == name)?;
    let text = definition(name)?;
    let body = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim_end();
    let definitions = needed(text).into_iter().filter_map(|name| {
        let text = definition(name)?.trim().replace('\n', "\n    ");
        Some(format!("    \"{name}\": {text}"))
    });
    let definitions = definitions.collect::<Vec<_>>().join(",\n");
    let head = format!(
        "  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"$id\": \"urn:allears:1:{name}\",\n  \
         \"title\": \"{name}: {about}\","
    );
    let end = if definitions.is_empty() { "" } else { ",\n  \"$defs\": {\n" };
    let close = if definitions.is_empty() { "" } else { "\n  }" };
    Some(format!("{{\n{head}{body}{end}{definitions}{close}\n}}\n"))
}

fn definition(name: &str) -> Option<&'static str> {
    DEFINITIONS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns the names of the definitions that a text refers to, directly or through others, in the order of their names.
fn needed(text: &str) -> Vec<&'static str> {
    let mut texts = vec![text];
    let mut names = Vec::new();
    while let Some(text) = texts.pop() {
        for rest in text.split(REFERENCE).skip(1) {
            let name = rest.split('"').next().unwrap_or_default();
            let known = DEFINITIONS.iter().find(|(known, _)| *known == name);
            if let Some((name, text)) = known.filter(|(name, _)| !names.contains(name)) {
                names.push(*name);
                texts.push(text);
            }
        }
    }
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
