//! The package of a script, by its path: `node_modules/.bin/vite`, `uvicorn/__main__.py`.

use super::launch::Language;
use super::{file_name, is_separator, stem, tools};

/// Returns the name of the package's tool. `None` for a file that is in no package.
pub(super) fn named(language: Language, path: &[u8]) -> Option<&[u8]> {
    match language {
        Language::JavaScript => script(path),
        Language::Python if file_name(path) == b"__main__.py" => {
            path.rsplit(|byte| is_separator(*byte)).nth(1).filter(|folder| !folder.is_empty())
        }
        _ => None,
    }
}

fn script(path: &[u8]) -> Option<&[u8]> {
    let parts: Vec<&[u8]> = path.split(|byte| is_separator(*byte)).collect();
    let file = *parts.last()?;
    let folder = parts.len().checked_sub(2).and_then(|at| parts.get(at)).copied().unwrap_or_default();
    let is_tool = |name: &[u8]| tools::exact(Language::JavaScript, name).is_some();
    if let Some(package) = path.strip_prefix(b"npm:") {
        return Some(package.split(|byte| *byte == b'@').find(|name| !name.is_empty()).unwrap_or(package));
    }
    // Packages are nested; the last one counts.
    let Some(at) = parts.iter().rposition(|part| *part == b"node_modules") else {
        // The names of Yarn's releases have a version.
        if file.starts_with(b"yarn-") && file.ends_with(b".cjs") {
            return Some(b"yarn");
        }
        let own = stem(file);
        return ((folder == b"bin" || own == file) && is_tool(own)).then_some(own);
    };
    match parts.get(at + 1..)? {
        // A package with several commands has a file for each.
        [b".bin", name] | [b"corepack", .., name] => Some(without_ending(name)),
        [scope, package, .., last] if scope.starts_with(b"@") => {
            Some(command(last, folder).unwrap_or_else(|| scoped(path, scope, package)))
        }
        [package, .., last] if !std::ptr::eq(*package, *last) => {
            Some(command(last, folder).filter(|name| is_tool(name) || !is_tool(package)).unwrap_or(package))
        }
        _ => None,
    }
}

/// Returns the command of a file in a package's folder of commands, which usually has its name.
fn command<'a>(file: &'a [u8], folder: &[u8]) -> Option<&'a [u8]> {
    let name = without_ending(file);
    let name = name.strip_suffix(b"-cli").unwrap_or(name);
    (folder == b"bin" && !matches!(name, b"index" | b"cli" | b"main" | b"run")).then_some(name)
}

/// Returns a scoped package, such as `@angular/cli`, as one piece of the path.
fn scoped<'a>(path: &'a [u8], scope: &'a [u8], package: &[u8]) -> &'a [u8] {
    let whole = scope.len() + 1 + package.len();
    let at = path.windows(whole).rposition(|part| part.starts_with(scope) && part.ends_with(package));
    at.and_then(|at| path.get(at..at + whole)).unwrap_or(scope)
}

fn without_ending(name: &[u8]) -> &[u8] {
    let endings: [&[u8]; 6] = [b".js", b".mjs", b".cjs", b".ts", b".cmd", b".exe"];
    endings.iter().find_map(|ending| name.strip_suffix(*ending)).unwrap_or(name)
}
