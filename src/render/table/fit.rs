//! Fits a table to a width: column widths, and columns that are left out.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Shortened;
use crate::render::column::Column;

/// The columns that are shrunk, in this order, and to which width. WHAT distinguishes the rows, so it gives way late.
const SHRUNK: [(Column, usize); 10] = [
    (Column::Connected, 12),
    (Column::Command, 12),
    (Column::Directory, 12),
    (Column::Address, 12),
    (Column::User, 8),
    (Column::What, 24),
    (Column::Process, 12),
    (Column::What, 16),
    (Column::Process, 8),
    (Column::What, 12),
];

/// The widths of columns; `None` for one that is left out.
pub(super) struct Fit {
    pub(super) widths: Vec<Option<usize>>,
    pub(super) gap: usize,
}

impl Fit {
    /// Shrinks what can be shrunk, and leaves out what must be: never port, process and pid, and nothing that was
    /// asked for by name.
    pub(super) fn into(width: usize, columns: &[Column], natural: &[usize], keep_all: bool) -> Fit {
        let mut fit = Fit { widths: natural.iter().copied().map(Some).collect(), gap: 2 };
        loop {
            let least: usize =
                columns.iter().zip(&fit.widths).filter_map(|(c, w)| Some(c.least((*w)?))).sum();
            if least + fit.gaps() <= width {
                break;
            }
            let droppable =
                columns.iter().zip(&fit.widths).enumerate().filter(|(_, (_, kept))| kept.is_some());
            let next = droppable.filter_map(|(at, (column, _))| Some((column.drop_rank()?, at))).max();
            match next {
                Some((_, at)) if !keep_all => {
                    if let Some(kept) = fit.widths.get_mut(at) {
                        *kept = None;
                    }
                }
                _ if fit.gap == 2 => fit.gap = 1,
                _ => break,
            }
        }
        for (column, floor) in SHRUNK.into_iter().chain(SHRUNK.map(|(column, _)| (column, 1))) {
            let excess = fit.total().saturating_sub(width);
            let Some(at) = columns.iter().position(|known| *known == column) else { continue };
            if let Some(Some(kept)) = fit.widths.get_mut(at) {
                *kept -= excess.min(kept.saturating_sub(floor));
            }
        }
        fit
    }

    fn gaps(&self) -> usize {
        self.widths.iter().flatten().count().saturating_sub(1) * self.gap
    }

    fn total(&self) -> usize {
        self.widths.iter().flatten().sum::<usize>() + self.gaps()
    }

    pub(super) fn shortened(&self, columns: &[Column], natural: &[usize]) -> Shortened {
        let mut shortened = Shortened::default();
        for ((column, natural), kept) in columns.iter().zip(natural).zip(&self.widths) {
            match kept {
                None => shortened.dropped.push(column.name()),
                Some(kept) if kept < natural => shortened.columns.push(column.name()),
                Some(_) => {}
            }
        }
        shortened
    }
}

impl Column {
    /// Returns the least useful width of a column.
    fn least(self, natural: usize) -> usize {
        let floors = SHRUNK.iter().filter(|(column, _)| *column == self).map(|(_, floor)| *floor);
        floors.min().map_or(natural, |least| least.min(natural))
    }

    /// Returns the rank by which columns are dropped, the highest first. `None` for columns that always stay.
    fn drop_rank(self) -> Option<u8> {
        match self {
            Column::Port | Column::Process | Column::Pid => None,
            Column::What => Some(1),
            Column::Address => Some(2),
            Column::Protocol => Some(3),
            Column::User => Some(4),
            Column::State | Column::Namespace | Column::Probe | Column::Connected => Some(5),
            Column::Peer => Some(6),
            _ => Some(7),
        }
    }

    pub(super) fn is_number(self) -> bool {
        matches!(
            self,
            Column::Port | Column::Inode | Column::SocketUid | Column::Uid | Column::Waiting | Column::Limit
        )
    }
}

/// Returns a text of at most this width. A path loses its beginning, any other text its end.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let dots = ".".repeat(width.min(2));
    let room = width - dots.len();
    // A folder may have what runs there behind it.
    let folder = text.split_once("  (").filter(|_| text.ends_with(')')).map_or(text, |(folder, _)| folder);
    let path = text.starts_with(['/', '~']) && !folder.contains(' ');
    let mut kept = String::new();
    let mut used = 0;
    let mut take = |character: char| {
        used += character.width().unwrap_or(0);
        used <= room
    };
    if path {
        let tail: Vec<char> = text.chars().rev().take_while(|character| take(*character)).collect();
        kept.push_str(&dots);
        kept.extend(tail.iter().rev());
    } else {
        kept.extend(text.chars().take_while(|character| take(*character)));
        kept.push_str(&dots);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_keeps_its_end_and_a_name_its_beginning() {
        assert_eq!(shorten("/home/dev/src/shop", 10), "..src/shop");
        assert_eq!(shorten("/home/dev/src/shop  (vite)", 18), "..src/shop  (vite)");
        assert_eq!(shorten("python3.11", 6), "pyth..");
        assert_eq!(shorten("python3", 7), "python3");
        assert_eq!(shorten("日本語", 5), "日..");
        assert_eq!(shorten("python", 1), ".");
        assert_eq!(shorten("python", 0), "");
    }

    proptest! {
        #[test]
        fn shortened_text_fits_the_width(text in "\\PC{0,40}", width in 0usize..30) {
            prop_assert!(shorten(&text, width).width() <= width);
        }

        #[test]
        fn columns_fit_down_to_twenty(
            width in 20usize..200,
            natural in proptest::collection::vec(1usize..60, 6),
        ) {
            let columns = [Column::Port, Column::Protocol, Column::Address, Column::Process, Column::Pid, Column::User, Column::What];
            let mut widths = vec![5];
            widths.extend(&natural);
            // Pids have seven digits at most.
            widths[4] = widths[4].min(7);
            let fit = Fit::into(width, &columns, &widths, false);
            prop_assert!(fit.total() <= width, "{:?}", fit.widths);
            for always in [0, 3, 4] {
                prop_assert!(fit.widths[always].is_some_and(|width| width > 0));
            }
        }
    }
}
