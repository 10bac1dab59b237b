//! `allears man`: the manual on a terminal, its source in a pipe, its pages in a folder.

mod page;
mod roff;
mod texts;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory;

use super::arguments::Arguments;
use super::exit::Exit;
use super::{fail, print};
use crate::os;

/// Shows the manual, or writes a page for each command into a folder.
pub(super) fn run(directory: Option<&Path>) -> Exit {
    match directory {
        Some(directory) => write_pages(directory),
        None => show(),
    }
}

fn show() -> Exit {
    let page = page::main_page(&arguments());
    if !io::stdout().is_terminal() {
        return print(page.as_bytes());
    }
    match by_man(page.as_bytes()) {
        true => Exit::Found,
        // The help has the same sentences.
        false => print(Arguments::command().render_long_help().to_string().as_bytes()),
    }
}

/// Shows a page by the system's own man, which formats it and starts the pager. Returns false if there is no such program
/// or it cannot read a page from its input: `-l -` is man-db's.
fn by_man(page: &[u8]) -> bool {
    let Some(man) = os::system_program("man") else { return false };
    let started = Command::new(man).args(["-l", "-"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut man) = started else { return false };
    // If man ends early, its exit status shows whether the page was shown.
    let _ = man.stdin.take().map(|mut input| input.write_all(page));
    man.wait().is_ok_and(|status| status.success())
}

fn write_pages(directory: &Path) -> Exit {
    match try_write_pages(directory) {
        Ok(()) => Exit::Found,
        Err(error) => fail(&format!("cannot write the manual into {}: {error}", directory.display()), None),
    }
}

fn try_write_pages(directory: &Path) -> io::Result<()> {
    let root = arguments();
    let write = |name: String, page: String| fs::write(directory.join(format!("{name}.1")), page);
    fs::create_dir_all(directory)?;
    write(page::name(&root), page::main_page(&root))?;
    page::commands(&root)
        .try_for_each(|command| write(page::name(command), page::command_page(&root, command)))
}

/// Returns the arguments, with what clap adds to them.
fn arguments() -> clap::Command {
    let mut root = Arguments::command();
    root.build();
    root
}
