//! Lines of a given width, and sections with a label.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::Timestamp;

use super::current_user::CurrentUser;
use super::style::{Palette, TextRole};

/// The layout of the answers of `why`, `free` and `about`.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerOptions {
    /// The width to wrap at; `None` for whole lines.
    pub(crate) width: Option<usize>,
    pub(crate) palette: Palette,
    pub(crate) current_user: CurrentUser,
    /// The moment that ages are counted to.
    pub(crate) now: Option<Timestamp>,
}

/// Returns lines of at most this width, broken between words where possible.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// Writes lines under one label, wrapped to the width if there is one. `label_width` is the width of the labels' column.
pub(super) fn write_section(
    label: &str,
    label_width: usize,
    lines: &[impl AsRef<str>],
    options: &AnswerOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let room = options.width.map_or(usize::MAX, |width| width.saturating_sub(label_width + 2).max(20));
    let mut label = format!("{label:<label_width$}");
    for line in lines.iter().flat_map(|line| wrap(line.as_ref(), room)) {
        writeln!(out, "  {}{line}", options.palette.paint(TextRole::Label, &label))?;
        label = " ".repeat(label_width);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_where_they_can() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("no break", usize::MAX), ["no break"]);
    }
}
