//! Programs other than interpreters whose arguments show what they do: the application of uwsgi, the forwards of ssh, an
//! applet of busybox. From their manual pages.

use super::{file_name, forwards, served_folder, short, tools};

/// Options of uwsgi that name the application, the most specific first (uwsgi --help, 2.0).
const UWSGI_APPLICATION: [&[&str]; 3] = [
    &["--module", "--wsgi", "-w", "--wsgi-file", "--file", "--callable-file"],
    &["--psgi", "--rack", "--mount", "--pump", "--lua", "--http-proxy-to"],
    &["--ini", "--yaml", "--yml", "--json", "--xml", "--ini-paste", "--paste"],
];

/// Returns the label of a program of this name by its arguments.
pub(super) fn named(program: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    match program {
        b"uwsgi" | b"uwsgi-core" => uwsgi(arguments),
        _ => forwards::label(program, arguments).or_else(|| served_folder::label(program, arguments)),
    }
}

/// Returns the label of uwsgi: `uwsgi shop:app`, `uwsgi app.py`, `uwsgi shop.ini`.
fn uwsgi(arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let value = |names: &[&str]| {
        names.iter().find_map(|name| {
            let at = arguments.iter().position(|word| {
                *word == name.as_bytes()
                    || word.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
            })?;
            let word = arguments.get(at)?;
            match word.iter().position(|byte| *byte == b'=') {
                Some(equals) => word.get(equals + 1..),
                None => arguments.get(at + 1).copied(),
            }
        })
    };
    let bare = || {
        let ends = |word: &&&[u8]| {
            [&b".ini"[..], b".yaml", b".yml", b".json", b".xml", b".py", b".wsgi"]
                .iter()
                .any(|end| word.ends_with(end))
        };
        arguments.first().filter(ends).copied()
    };
    let application = UWSGI_APPLICATION.into_iter().find_map(value).or_else(bare)?;
    // `--mount /shop=shop.py`
    let application = application.rsplit(|byte| *byte == b'=').next()?;
    let application = short(file_name(application)).filter(|word| tools::is_plain(word))?;
    Some([b"uwsgi ".as_slice(), application].concat())
}

/// Returns the applet of a multi-call program and its arguments: `busybox httpd`, or `httpd` as a link to busybox.
pub(super) fn applet<'a>(program: &[u8], command: &'a [&'a [u8]]) -> Option<&'a [&'a [u8]]> {
    if !is_multi_call(program) {
        return None;
    }
    let (first, rest) = command.split_first()?;
    match is_multi_call(file_name(first)) {
        true => (!rest.is_empty()).then_some(rest),
        false => Some(command),
    }
}

fn is_multi_call(program: &[u8]) -> bool {
    matches!(program, b"busybox" | b"toybox")
        || program.starts_with(b"busybox.")
        || program.starts_with(b"busybox-")
}

/// Returns the program of a file with an unspecific name, by its whole path.
pub(super) fn by_path(path: &[u8]) -> Option<&'static str> {
    let is = |end: &[u8]| path.ends_with(end);
    (is(b"/tensorboard_data_server/bin/server") || is(br"\tensorboard_data_server\bin\server.exe"))
        .then_some("tensorboard data server")
}

/// Returns the label of an Erlang node: `Erlang node shop@host`, `RabbitMQ node rabbit@host`. `None` if the arguments of the
/// virtual machine have neither a name nor a known application.
pub(super) fn erlang(arguments: &[&[u8]]) -> Option<Vec<u8>> {
    let after = |flag: &[u8]| {
        let at = arguments.iter().position(|word| *word == flag)?;
        arguments.get(at + 1).copied().and_then(short)
    };
    let node = after(b"-sname").or_else(|| after(b"-name"));
    let what = match after(b"-s") {
        Some(b"rabbit") => Some("RabbitMQ"),
        Some(b"ejabberd") => Some("ejabberd"),
        Some(b"couch") => Some("CouchDB"),
        _ => None,
    };
    match (what, node) {
        (None, None) => None,
        (Some(what), None) => Some(what.as_bytes().to_vec()),
        (what, Some(node)) => Some([what.unwrap_or("Erlang").as_bytes(), b" node ", node].concat()),
    }
}

/// Returns the label of ruby's file `un`, which its option `-r` loads: `ruby -run -e httpd`. From its documentation.
pub(super) fn ruby_un(code: &[u8]) -> Option<Vec<u8>> {
    let is_name = !code.is_empty()
        && code.len() <= 16
        && code.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    is_name.then(|| [b"ruby -run -e ".as_slice(), code].concat())
}
